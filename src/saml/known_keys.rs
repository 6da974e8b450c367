//! Remembers the public keys of certificates for xmlsec.
//!
//! samael gives xmlsec a certificate for each verification, and has no way to give it a key. Reading one takes OpenSSL 3.0 about five times as
//! long as verifying with the key in it, half of what a whole verification takes. So the one function of xmlsec by which samael loads a key is
//! defined here: a program's own definition of a symbol goes before a shared library's. The first time it sees a certificate, it has xmlsec's
//! own loader read it; later it hands out another reference to the same immutable key. Where samael calls something else (it does with an
//! xmlsec that loads its backends at run time), everything works as before, only slower.
#![expect(unsafe_code, reason = "xmlsec takes keys through its C interface only")]

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Mutex, OnceLock, PoisonError};

type Key = *mut c_void;
type KeyData = *mut c_void;
type Load = unsafe extern "C" fn(*const u8, usize, c_uint, *const c_char, *mut c_void, *mut c_void) -> Key;

/// The symbol that is defined here and in xmlsec's OpenSSL backend.
const LOADER: &CStr = c"xmlSecOpenSSLAppKeyLoadMemory";
/// `xmlSecKeyDataFormatCertDer` in xmlsec's `keysdata.h`.
const CERTIFICATE_DER: c_uint = 8;
/// Providers have a certificate or two, and change them once in a year: more than this are forgotten, all at once.
const MOST: usize = 1024;

// Nothing here knows the layout of a struct of xmlsec's: that differs with how it was built.
unsafe extern "C" {
    fn dlsym(handle: *mut c_void, symbol: *const c_char) -> *mut c_void;
    fn xmlSecKeyCreate() -> Key;
    fn xmlSecKeyDestroy(key: Key);
    fn xmlSecKeyGetValue(key: Key) -> KeyData;
    fn xmlSecKeySetValue(key: Key, value: KeyData) -> c_int;
    fn xmlSecKeyDataDuplicate(value: KeyData) -> KeyData;
    fn xmlSecKeyDataDestroy(value: KeyData);
}

/// `RTLD_NEXT` of the C library: the definition that would be used were this one not there.
const NEXT: *mut c_void = ptr::without_provenance_mut(usize::MAX);

/// A key as xmlsec holds it, without the certificate that it came in. It lives as long as the process.
struct Known(NonNull<c_void>);

// SAFETY: the key data is never changed after it was made. Duplicating it takes another reference to OpenSSL's key, whose count of references
// is atomic.
unsafe impl Send for Known {}

impl Drop for Known {
    fn drop(&mut self) {
        // SAFETY: the value is this one's own; duplicates of it have references of their own.
        unsafe { xmlSecKeyDataDestroy(self.0.as_ptr()) }
    }
}

impl Known {
    /// Takes the public key out of what xmlsec read.
    fn of(key: Key) -> Option<Self> {
        // SAFETY: `key` was made by xmlsec and is destroyed by the caller after this.
        let value = unsafe { xmlSecKeyGetValue(key) };
        let value = NonNull::new(value)?;
        // SAFETY: as above; the duplicate is ours.
        NonNull::new(unsafe { xmlSecKeyDataDuplicate(value.as_ptr()) }).map(Self)
    }

    /// A key for xmlsec to use up, or null.
    fn issue(&self) -> Key {
        // SAFETY: the value lives; whatever is not handed over is destroyed here, once.
        unsafe {
            let (key, value) = (xmlSecKeyCreate(), xmlSecKeyDataDuplicate(self.0.as_ptr()));
            if !key.is_null() && !value.is_null() && xmlSecKeySetValue(key, value) == 0 {
                return key;
            }
            if !value.is_null() {
                xmlSecKeyDataDestroy(value);
            }
            if !key.is_null() {
                xmlSecKeyDestroy(key);
            }
            ptr::null_mut()
        }
    }
}

static KNOWN: Mutex<Option<HashMap<Box<[u8]>, Known>>> = Mutex::new(None);

/// xmlsec's own loader.
fn loader() -> Option<Load> {
    static LOAD: OnceLock<Option<Load>> = OnceLock::new();
    *LOAD.get_or_init(|| {
        // SAFETY: the name ends in NUL. The symbol, where there is one, is the function of this signature in xmlsec's headers; a size passed in
        // a wider register than it reads is the same number.
        unsafe {
            let found = dlsym(NEXT, LOADER.as_ptr());
            (!found.is_null()).then(|| std::mem::transmute::<*mut c_void, Load>(found))
        }
    })
}

/// Stands in for the function of that name in xmlsec: a key from bytes, or null.
///
/// # Safety
/// As xmlsec documents: `data` points to `size` readable bytes; the others are handed on.
#[unsafe(no_mangle)]
unsafe extern "C" fn xmlSecOpenSSLAppKeyLoadMemory(
    data: *const u8,
    // xmlsec's size is 32 or 64 bits wide, as it was built; of a certificate's size the lower half is the whole.
    size: c_uint,
    format: c_uint,
    password: *const c_char,
    callback: *mut c_void,
    context: *mut c_void,
) -> Key {
    let (Some(load), Ok(length)) = (loader(), usize::try_from(size)) else { return ptr::null_mut() };
    // SAFETY: the caller's arguments, handed on.
    let read = || unsafe { load(data, length, format, password, callback, context) };
    if format != CERTIFICATE_DER || data.is_null() {
        return read();
    }
    // SAFETY: the caller says that these are readable.
    let certificate = unsafe { slice::from_raw_parts(data, length) };
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let known = known.get_or_insert_with(HashMap::new);
    if let Some(key) = known.get(certificate) {
        return key.issue();
    }
    let key = read();
    if let Some(fresh) = (!key.is_null()).then(|| Known::of(key)).flatten() {
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(certificate.into(), fresh);
    }
    key
}

#[cfg(test)]
mod tests;
