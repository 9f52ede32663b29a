//! An allocator that counts how often each thread has to do with the heap.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
};

/// The system's allocator, counted.
pub struct Counting;

thread_local! {
    static TOUCHED: Cell<u64> = const { Cell::new(0) };
}

/// How often this thread has allocated and freed, if [`Counting`] is the program's allocator.
#[must_use]
pub fn touched() -> u64 {
    TOUCHED.get()
}

fn touch() {
    // Threads that are being torn down allocate after their locals are gone.
    let _ = TOUCHED.try_with(|touched| touched.set(touched.get() + 1));
}

// SAFETY: every call is passed on to the system's allocator as it came; counting touches no memory of theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        touch();
        // SAFETY: the caller's promises are passed on.
        unsafe { System.realloc(pointer, layout, size) }
    }
}
