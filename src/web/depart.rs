//! How a browser leaves for a provider.

use actix_web::HttpResponse;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, HeaderValue};

use super::site::policy;
use super::trouble::{html, redirect};
use super::views::{Continue, HandOn};
use super::visitor::Visitor;
use crate::identity::{Departure, PostForm};

/// How the browser came to where it leaves from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// By a link: a redirect leads anywhere.
    Link,
    /// By a form of ours: browsers hold its redirects to our policy, so a page in between goes on.
    Form,
}

/// Sends the browser on to a provider, which people know by `name`.
pub(super) fn depart(visitor: &Visitor, name: &str, departure: &Departure, way: Way) -> HttpResponse {
    let shell = visitor.site.shell(visitor.csrf(), None);
    match departure {
        Departure::Visit(url) if way == Way::Link => redirect(url.as_str()).finish(),
        Departure::Visit(url) => html(&Continue { shell, destination: name.into(), url: url.as_str().into() }),
        Departure::Post(PostForm { action, fields }) => {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_str().into())).collect();
            let mut response = html(&HandOn { shell, destination: name.into(), action: action.as_str().into(), fields });
            // The provider may send the browser on to other hosts of its own, and browsers hold those redirects to this page's policy too.
            let policy = policy(&[action.origin().ascii_serialization(), "https:".to_owned()]);
            if let Ok(policy) = HeaderValue::from_str(&policy) {
                response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
            }
            response
        }
    }
}
