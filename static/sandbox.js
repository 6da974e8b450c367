// Sends the one form of the page that asks for it. The form's own button does the same where no script runs.
document.querySelector("form[data-send]")?.requestSubmit();
