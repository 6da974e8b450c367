//! The rooms for administrators and auditors of the gateway.
//!
//! Each handler asks for a session, then, where it changes something or takes something in, for the form's token, then for the role, which
//! `gateway` looks up anew for each request. Nothing is found before.

mod admin;
mod audit;
mod chart;
mod playground;
mod sessions;

use actix_web::{Resource, web};

use super::{get_or_head, page, unfit};

/// The largest form with rules or claims, in bytes.
const LARGEST_PASTE: usize = 1024 * 1024 + 64 * 1024;

/// Their addresses. What looks into the trail or exports it is recorded, so it does not answer to HEAD.
pub(super) fn resources() -> Vec<Resource> {
    let read_only = "GET, HEAD";
    let paste = |path: &str, allowed, route| {
        let form = web::FormConfig::default().limit(LARGEST_PASTE).error_handler(|error, _| unfit::unread(&error).into());
        page(path, allowed, route).app_data(form).app_data(web::PayloadConfig::new(LARGEST_PASTE))
    };
    vec![
        page("/audit", "GET", web::get().to(audit::search)),
        page("/audit/chart", "GET", web::get().to(chart::chart)),
        page("/audit/export", "GET", web::get().to(audit::export)),
        page("/audit/event/{incident}", "GET", web::get().to(audit::event)),
        page("/admin", read_only, get_or_head().to(admin::status)),
        page("/admin/sessions", read_only, get_or_head().to(sessions::find)),
        page("/admin/sessions/end", "POST", web::post().to(sessions::end)),
        paste("/admin/playground", "GET, POST", web::post().to(playground::claims)).route(web::get().to(playground::open)),
        page("/admin/playground/sign-in", "POST", web::post().to(playground::sign_in)),
        paste("/admin/playground/candidate", "POST", web::post().to(playground::candidate)),
    ]
}
