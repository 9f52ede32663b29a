#![no_main]
use reflexd_fuzz::{
    heap::{Counting, touched},
    realtime::live,
};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    live(bytes, touched);
});
