#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reflexd_fuzz::outside::router_manifest(bytes));
