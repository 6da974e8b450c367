use samael::crypto::{CertificateDer, Crypto, CryptoProvider};

use super::*;
use crate::saml::hardening::harden;

fn certificate() -> Vec<u8> {
    harden().unwrap();
    rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.der().to_vec()
}

fn is_known(certificate: &[u8]) -> bool {
    KNOWN.lock().unwrap().as_ref().is_some_and(|known| known.contains_key(certificate))
}

fn load(bytes: &[u8], format: c_uint) -> Key {
    let size = bytes.len().try_into().unwrap();
    // SAFETY: the bytes are readable for their whole length.
    unsafe { xmlSecOpenSSLAppKeyLoadMemory(bytes.as_ptr(), size, format, ptr::null(), ptr::null_mut(), ptr::null_mut()) }
}

fn destroy(key: Key) {
    // SAFETY: the key was handed to this test, which uses it no more.
    unsafe { xmlSecKeyDestroy(key) }
}

#[test]
fn the_linker_has_samael_load_its_keys_here() {
    let certificate = certificate();
    assert!(!is_known(&certificate));
    let nothing_signed = Crypto::verify_signed_xml("<none/>", &CertificateDer::from(certificate.clone()), None);
    assert!(nothing_signed.is_err());
    assert!(is_known(&certificate));
}

#[test]
fn each_load_is_a_key_of_its_own() {
    let certificate = certificate();
    let keys = [(); 3].map(|()| load(&certificate, CERTIFICATE_DER));
    assert!(keys.iter().all(|key| !key.is_null()));
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    keys.into_iter().for_each(destroy);
    let again = load(&certificate, CERTIFICATE_DER);
    assert!(!again.is_null(), "what was remembered outlives what was handed out");
    destroy(again);
}

#[test]
fn what_is_no_certificate_is_not_remembered() {
    let garbage = b"\x30\x03\x02\x01\x01".as_slice();
    assert!(certificate().len() > garbage.len());
    for format in [CERTIFICATE_DER, CERTIFICATE_DER - 1, 0] {
        assert!(load(garbage, format).is_null());
    }
    assert!(load(&[], CERTIFICATE_DER).is_null());
    assert!(!is_known(garbage) && !is_known(&[]));
}
