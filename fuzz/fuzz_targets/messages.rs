#![no_main]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| reflexd_fuzz::outside::messages(bytes));
