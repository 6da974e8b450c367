#![no_main]

#[path = "../rules.rs"]
#[expect(dead_code, reason = "each target is one of the doors")]
mod rules;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    rules::group_pattern(bytes);
});
