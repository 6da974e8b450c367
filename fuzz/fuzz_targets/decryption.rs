#![no_main]

#[path = "../doors.rs"]
#[expect(dead_code, reason = "each target is one of the doors")]
mod doors;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    doors::decryption(bytes);
});
