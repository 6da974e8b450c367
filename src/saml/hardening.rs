//! Takes from xmlsec, once for the whole process, all that a SAML signature does not need.
//!
//! xmlsec fetches external references, runs stylesheets and `XPath`, and knows SHA-1 and HMAC. The prescreen refuses all of these; this makes them
//! impossible even for bytes that went around it. Its complaints about bad input go to the log at debug level instead of stderr.
#![expect(unsafe_code, reason = "xmlsec's tables can be cut down through its C interface only")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use samael::crypto::{CertificateDer, Crypto, CryptoProvider};
use thiserror::Error;

/// xmlsec could not be cut down, so it must not be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the XML signature library could not be hardened")]
pub struct NotHardened;

type Klass = *const c_void;
type KlassGetter = unsafe extern "C" fn() -> Klass;
type ErrorCallback = unsafe extern "C" fn(*const c_char, c_int, *const c_char, *const c_char, *const c_char, c_int, *const c_char);

// Nothing here knows the layout of a struct of xmlsec's: that differs with how it was built.
unsafe extern "C" {
    fn xmlSecIOCleanupCallbacks();
    fn xmlSecTransformIdsGet() -> *mut c_void;
    fn xmlSecPtrListEmpty(list: *mut c_void);
    fn xmlSecPtrListAdd(list: *mut c_void, item: *mut c_void) -> c_int;
    fn xmlSecPtrListGetSize(list: *mut c_void) -> c_uint;
    fn xmlSecErrorsSetCallback(callback: ErrorCallback);
    fn xmlSecTransformEnvelopedGetKlass() -> Klass;
    fn xmlSecTransformExclC14NGetKlass() -> Klass;
    fn xmlSecOpenSSLTransformRsaSha256GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformRsaSha384GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformRsaSha512GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformEcdsaSha256GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformEcdsaSha384GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformEcdsaSha512GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformSha256GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformSha384GetKlass() -> Klass;
    fn xmlSecOpenSSLTransformSha512GetKlass() -> Klass;
}

const KEPT: [KlassGetter; 11] = [
    xmlSecTransformEnvelopedGetKlass,
    xmlSecTransformExclC14NGetKlass,
    xmlSecOpenSSLTransformRsaSha256GetKlass,
    xmlSecOpenSSLTransformRsaSha384GetKlass,
    xmlSecOpenSSLTransformRsaSha512GetKlass,
    xmlSecOpenSSLTransformEcdsaSha256GetKlass,
    xmlSecOpenSSLTransformEcdsaSha384GetKlass,
    xmlSecOpenSSLTransformEcdsaSha512GetKlass,
    xmlSecOpenSSLTransformSha256GetKlass,
    xmlSecOpenSSLTransformSha384GetKlass,
    xmlSecOpenSSLTransformSha512GetKlass,
];

/// Starts xmlsec and cuts it down, the first time it is called; later calls return the first one's outcome. To be called once before the
/// first request is taken, so that a library that cannot be made safe keeps the gateway from starting; every verifier calls it again.
///
/// # Errors
/// [`NotHardened`]; nothing may be verified then.
pub fn harden() -> Result<(), NotHardened> {
    static DONE: OnceLock<Result<(), NotHardened>> = OnceLock::new();
    *DONE.get_or_init(|| {
        // xmlsec is started by letting it look for a signature where there is none, with any good certificate. This fails, as it should;
        // what counts is that the library is started.
        let certificate = rcgen::generate_simple_self_signed(Vec::new()).map_err(|_| NotHardened)?;
        let certificate = CertificateDer::from(certificate.cert.der().to_vec());
        catch_unwind(AssertUnwindSafe(|| Crypto::verify_signed_xml("<none/>", &certificate, None).is_err()))
            .ok()
            .filter(|failed| *failed)
            .ok_or(NotHardened)?;
        cut()
    })
}

fn cut() -> Result<(), NotHardened> {
    // SAFETY: the library is started, and `OnceLock` lets one thread through, before any verification of ours. All functions are called
    // with the signatures of xmlsec's headers; the list lives as long as the library, and so do the classes put into it, which xmlsec
    // never writes to.
    unsafe {
        xmlSecErrorsSetCallback(log);
        xmlSecIOCleanupCallbacks();
        let list = xmlSecTransformIdsGet();
        if list.is_null() {
            return Err(NotHardened);
        }
        xmlSecPtrListEmpty(list);
        for get in KEPT {
            let class = get();
            if class.is_null() || xmlSecPtrListAdd(list, class.cast_mut()) != 0 {
                return Err(NotHardened);
            }
        }
        if usize::try_from(xmlSecPtrListGetSize(list)) == Ok(KEPT.len()) { Ok(()) } else { Err(NotHardened) }
    }
}

/// Longer words of xmlsec's are cut off: some quote the input.
const MAX_WORD: usize = 120;

unsafe extern "C" fn log(
    _file: *const c_char,
    _line: c_int,
    function: *const c_char,
    _object: *const c_char,
    subject: *const c_char,
    reason: c_int,
    message: *const c_char,
) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let word = |text: *const c_char| {
        if text.is_null() {
            return String::new();
        }
        // SAFETY: xmlsec hands over strings that end in NUL and live until this function returns.
        let text = unsafe { CStr::from_ptr(text) };
        text.to_string_lossy().chars().take(MAX_WORD).flat_map(char::escape_debug).collect()
    };
    tracing::debug!(function = word(function), subject = word(subject), reason, message = word(message), "xmlsec");
}

#[cfg(test)]
mod tests;
