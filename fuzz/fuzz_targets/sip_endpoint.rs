#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jiesu_fuzz::sip_endpoint(bytes));
