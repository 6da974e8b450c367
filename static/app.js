// Makes quicker what already works without it: copying, local times, downloads without a second request. Says what ends soon.
(() => {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  document.documentElement.classList.add("on");

  const say = (text) => {
    const status = $("status");
    // Emptied first, so that the same words are announced again.
    status.textContent = "";
    clearTimeout(say.timer);
    requestAnimationFrame(() => { status.textContent = text; });
    say.timer = setTimeout(() => { status.textContent = ""; }, 4000);
  };

  const copy = async (text, what) => {
    try {
      await navigator.clipboard.writeText(text);
      say(what + " copied");
    } catch {
      say("The browser refuses to copy. Select the text and copy it by hand.");
    }
  };

  // A link to a role becomes a button that copies its address.
  for (const link of all("a.share")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "share";
    button.textContent = "Copy the " + link.textContent.replace("Link", "link");
    button.dataset.href = link.href;
    link.replaceWith(button);
  }
  document.addEventListener("copy-link", (event) => copy(event.detail, "Link"));
  document.addEventListener("say", (event) => say(event.detail));

  document.addEventListener("click", (event) => {
    const menu = document.querySelector("details.menu[open]");
    if (menu && !menu.contains(event.target)) menu.open = false;
    const button = event.target.closest("button");
    if (!button) return;
    const { href, copy: from, what } = button.dataset;
    if (href) copy(href, "Link");
    else if (from) copy($(from).textContent, what);
  });

  const rest = (form, busy) => {
    delete form.dataset.sent;
    busy.ariaBusy = null;
  };
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.from) {
      event.preventDefault();
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([$(form.dataset.from).textContent], { type: "text/plain" }));
      link.download = form.dataset.file;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
      say("Saved as " + form.dataset.file);
    } else if (form.method === "post") {
      // A second click while AWS answers would only ask twice.
      const busy = event.submitter ?? form;
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = busy.ariaBusy = "true";
      setTimeout(() => rest(form, busy), 3000);
    }
  });

  for (const time of all("time")) {
    const at = new Date(time.dateTime);
    const day = at.toDateString() === new Date().toDateString() ? {} : { day: "numeric", month: "short" };
    time.title = time.textContent;
    time.textContent = at.toLocaleString([], { hour: "numeric", minute: "2-digit", ...day });
  }

  const secondsUntil = (time) => Math.floor((new Date(time) - Date.now()) / 1000);
  const left = (seconds) => {
    const [h, m] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    return seconds <= 0 ? "Expired" : seconds < 60 ? seconds + " s left" : (h ? h + " h " : "") + m + " min left";
  };
  // Says each thing once: that little is left, and that nothing is.
  const watch = (until, soon, tell) => {
    let told = 0;
    const tick = () => {
      const seconds = secondsUntil(until);
      const stage = seconds <= 0 ? 2 : seconds < soon ? 1 : 0;
      tell(seconds, stage, stage > told);
      told = stage;
      if (stage === 2) clearInterval(timer);
    };
    const timer = setInterval(tick, 1000);
    tick();
  };
  const countdown = $("countdown");
  if (countdown) watch(countdown.dataset.until, 300, (seconds, stage, isNew) => {
    countdown.textContent = left(seconds);
    countdown.classList.toggle("soon", stage > 0);
    if (isNew) say(stage === 2 ? "These credentials have expired" : "These credentials expire in less than five minutes");
  });
  const ends = document.querySelector("[data-session]");
  if (ends) watch(ends.dateTime, 600, (seconds, stage, isNew) => {
    for (const time of all(".until time")) time.parentElement.classList.toggle("soon", stage > 0);
    if (!isNew) return;
    const ending = $("ending");
    ending.hidden = false;
    ending.textContent = stage === 2 ? "Your session here has ended. Load the page again to sign in; AWS sessions that you have go on." : "Your session here ends in less than ten minutes. Then you sign in again; AWS sessions that you have go on.";
  });

  // A form on its way elsewhere, which nobody has to fill in, goes by itself once. Who comes back chooses, and an old proof is gone.
  const onward = document.querySelector("form[data-onward]");
  if (onward) {
    if (performance.getEntriesByType("navigation")[0]?.type === "navigate") onward.requestSubmit();
    addEventListener("pagehide", () => onward.remove());
  }

  // Secrets leave the document with its reader: the back button must not bring them back.
  addEventListener("pagehide", () => all("[data-secret]").forEach((node) => node.replaceChildren()));
  addEventListener("pageshow", (event) => {
    if (event.persisted && document.querySelector("[data-secret]")) location.reload();
    all("form[data-sent]").forEach((form) => rest(form, document.querySelector("[aria-busy]") ?? form));
  });

  addEventListener("keydown", (event) => {
    const menu = document.querySelector("details.menu[open]");
    if (event.key !== "Escape" || !menu) return;
    menu.open = false;
    menu.querySelector("summary").focus();
  });
})();
