//! All that is unsafe here: the switch in the environment, the flag that flushes denormals, and the call of the runtime
//! that allocates nothing.

use std::{env, ffi::CString, fs, ptr};

use ort::{
    AsPointer,
    session::Session,
    value::{DynTensor, Tensor},
};

/// More inputs than this no head has; so their pointers fit on the stack.
pub(crate) const INPUTS_MAX: usize = 16;

/// Sets an environment variable; `false` if other threads may be there, which could read the environment meanwhile.
pub(crate) fn set_variable_if_alone(name: &str, value: &str) -> bool {
    // Unreadable is as good as many: what cannot be proved alone is treated as company.
    let threads = fs::read_dir("/proc/self/task").map_or(usize::MAX, Iterator::count);
    if threads == 1 {
        // SAFETY: no other thread exists, as just counted, so none can read or write the environment meanwhile; and
        // only this one could start another.
        unsafe { env::set_var(name, value) };
    }
    threads == 1
}

/// Runs a session from prepared tensors into a prepared one. `ort`'s own way makes a map of names and a value for each
/// output in every run.
pub(crate) fn run(
    session: &mut Session,
    names: &[CString],
    inputs: &[Tensor<f32>],
    output_name: &CString,
    output: &mut DynTensor,
) -> ort::Result<()> {
    let count = names.len().min(inputs.len()).min(INPUTS_MAX);
    let mut name_pointers = [ptr::null(); INPUTS_MAX];
    let mut value_pointers = [ptr::null(); INPUTS_MAX];
    for at in 0..count {
        name_pointers[at] = names[at].as_ptr();
        value_pointers[at] = inputs[at].ptr();
    }
    let mut output_pointer = output.ptr_mut();
    let _flushed = Flushed::begin();
    // SAFETY: session, names and values live until after the call, and the arrays have `count` and one valid pointers.
    // `&mut` on session and output: nobody else runs or reads them. No run options are a null pointer, as documented.
    let status = unsafe {
        (ort::api().Run)(
            session.ptr().cast_mut(),
            ptr::null(),
            name_pointers.as_ptr(),
            value_pointers.as_ptr(),
            count,
            &output_name.as_ptr(),
            1,
            &mut output_pointer,
        )
    };
    // SAFETY: the status comes from the runtime, is checked only here, and is taken over by the error.
    unsafe { ort::Error::result_from_status(status) }
}

/// While it lives, this thread counts denormal numbers as zero, in what is read as in what is computed.
///
/// It is worn for the length of a run only, so that all other arithmetic of the thread stays exact: a simulator may step
/// on it.
pub(crate) struct Flushed {
    before: control::Word,
}

impl Flushed {
    pub(crate) fn begin() -> Self {
        let before = control::read();
        control::write(before | control::FLUSH);
        Self { before }
    }
}

impl Drop for Flushed {
    fn drop(&mut self) {
        control::write(self.before);
    }
}

/// The control word of the vector unit.
#[cfg(target_arch = "x86_64")]
mod control {
    use std::arch::asm;

    pub(super) type Word = u32;
    /// Flush to zero, and denormals are zero.
    pub(super) const FLUSH: Word = 1 << 15 | 1 << 6;

    pub(super) fn read() -> Word {
        let mut word = 0;
        // SAFETY: MXCSR is stored to a place that is this function's own.
        unsafe { asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
        word
    }

    pub(super) fn write(word: Word) {
        // SAFETY: the word was read from MXCSR, with at most the two bits above added, which every x86-64 knows.
        unsafe { asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags)) };
    }
}

/// The control word of the vector unit.
#[cfg(target_arch = "aarch64")]
mod control {
    use std::arch::asm;

    pub(super) type Word = u64;
    /// Flush to zero: on this architecture for what is read as well.
    pub(super) const FLUSH: Word = 1 << 24;

    pub(super) fn read() -> Word {
        let word;
        // SAFETY: reading FPCR changes nothing.
        unsafe { asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
        word
    }

    pub(super) fn write(word: Word) {
        // SAFETY: the word was read from FPCR, with at most the bit above added, which every AArch64 knows.
        unsafe { asm!("msr fpcr, {}", in(reg) word, options(nostack, preserves_flags)) };
    }
}

/// Nothing is known of other processors: there denormals are only slow.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
mod control {
    pub(super) type Word = u32;
    pub(super) const FLUSH: Word = 0;

    pub(super) const fn read() -> Word {
        0
    }

    pub(super) const fn write(_: Word) {}
}
