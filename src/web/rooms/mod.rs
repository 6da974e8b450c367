//! The rooms for administrators and auditors of the gateway.
//!
//! Each handler asks for a session, then, where it changes something or takes something in, for the form's token, then for the role, which
//! `gateway` looks up anew for each request. Nothing is found before.

mod admin;
mod audit;
mod chain;
mod chart;
mod playground;
mod requests;
mod sessions;

use actix_web::{Resource, web};

use super::{get_or_head, page, unfit};

/// The largest text with rules or claims, in bytes.
const LARGEST_PASTE: usize = 1024 * 1024;
/// The largest form with one: a form writes three bytes for one that is no letter, and six for the end of a line, which counts as one here.
const LARGEST_FORM: usize = 4 * LARGEST_PASTE;

/// Whether what was pasted is too large, without what a form adds to the ends of lines.
fn is_too_large(pasted: &str) -> bool {
    pasted.len() - pasted.matches("\r\n").count() > LARGEST_PASTE
}

/// Their addresses. What looks into the trail or for somebody's sessions is recorded, so it does not answer to HEAD.
pub(super) fn resources() -> Vec<Resource> {
    let paste = |path: &str, allowed, route| {
        let form = web::FormConfig::default().limit(LARGEST_FORM).error_handler(|error, _| unfit::unread(&error).into());
        page(path, allowed, route).app_data(form).app_data(web::PayloadConfig::new(LARGEST_FORM))
    };
    vec![
        page("/audit", "GET", web::get().to(audit::search)),
        page("/audit/chart", "GET", web::get().to(chart::chart)),
        page("/audit/export", "GET", web::get().to(audit::export)),
        page("/audit/event/{incident}", "GET", web::get().to(audit::event)),
        page("/admin", "GET, HEAD", get_or_head().to(admin::status)),
        page("/admin/sessions", "GET", web::get().to(sessions::find)),
        page("/admin/sessions/end", "POST", web::post().to(sessions::end)),
        page("/admin/requests", "GET, HEAD", get_or_head().to(requests::list)),
        page("/admin/requests/revoke", "POST", web::post().to(requests::revoke)),
        paste("/admin/playground", "GET, POST", web::post().to(playground::claims)).route(web::get().to(playground::open)),
        page("/admin/playground/sign-in", "POST", web::post().to(playground::sign_in)),
        paste("/admin/playground/candidate", "POST", web::post().to(playground::candidate)),
    ]
}
