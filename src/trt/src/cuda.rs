//! The little of CUDA's driver that is needed, loaded at run time: memory, one stream, one graph.

use std::{
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    path::Path,
    ptr,
};

use libloading::Library as Loaded;

use crate::{TrtError, library};

/// The driver's library, wherever the loader finds it.
pub const LIBRARY: &str = "libcuda.so.1";

type Code = c_int;
pub(crate) type Handle = *mut c_void;
/// An address in the GPU's memory.
pub(crate) type Address = u64;

macro_rules! driver {
    ($($field:ident = $name:literal: fn($($argument:ty),*);)*) => {
        /// The driver's functions; all of them answer with a code.
        struct Driver {
            $($field: unsafe extern "C" fn($($argument),*) -> Code,)*
        }

        impl Driver {
            fn find(loaded: &Loaded, path: &Path) -> Result<Self, TrtError> {
                // SAFETY: the types are those of cuda.h, versions 12 and 13.
                Ok(Self { $($field: unsafe { library::function(loaded, path, $name)? },)* })
            }
        }
    };
}

driver! {
    init = "cuInit": fn(c_uint);
    words = "cuGetErrorString": fn(Code, *mut *const c_char);
    count = "cuDeviceGetCount": fn(*mut c_int);
    device = "cuDeviceGet": fn(*mut c_int, c_int);
    name = "cuDeviceGetName": fn(*mut c_char, c_int, c_int);
    retain = "cuDevicePrimaryCtxRetain": fn(*mut Handle, c_int);
    release = "cuDevicePrimaryCtxRelease_v2": fn(c_int);
    enter = "cuCtxSetCurrent": fn(Handle);
    stream = "cuStreamCreate": fn(*mut Handle, c_uint);
    free_stream = "cuStreamDestroy_v2": fn(Handle);
    wait = "cuStreamSynchronize": fn(Handle);
    allocate = "cuMemAlloc_v2": fn(*mut Address, usize);
    free = "cuMemFree_v2": fn(Address);
    allocate_host = "cuMemAllocHost_v2": fn(*mut Handle, usize);
    free_host = "cuMemFreeHost": fn(Handle);
    upload = "cuMemcpyHtoDAsync_v2": fn(Address, *const c_void, usize, Handle);
    download = "cuMemcpyDtoHAsync_v2": fn(Handle, Address, usize, Handle);
    begin_capture = "cuStreamBeginCapture_v2": fn(Handle, c_int);
    end_capture = "cuStreamEndCapture": fn(Handle, *mut Handle);
    instantiate = "cuGraphInstantiateWithFlags": fn(*mut Handle, Handle, u64);
    launch = "cuGraphLaunch": fn(Handle, Handle);
    free_graph = "cuGraphDestroy": fn(Handle);
    free_executable = "cuGraphExecDestroy": fn(Handle);
}

/// Only this thread's calls are watched while a graph is captured.
const CAPTURE_THREAD_LOCAL: c_int = 1;
/// A stream that waits for no other.
const NON_BLOCKING: c_uint = 1;

/// One GPU, with one stream.
pub struct Cuda {
    driver: Driver,
    ordinal: c_int,
    context: Handle,
    stream: Handle,
    name: String,
    // After everything that points into it.
    _loaded: Loaded,
}

// SAFETY: the driver may be used from any thread that has entered the context, which every run does first; `&mut` lets
// only one thread at it.
unsafe impl Send for Cuda {}

impl Cuda {
    /// Loads the driver and takes a device.
    ///
    /// # Errors
    /// If there is no driver, no GPU, or no such device.
    pub fn open(library: &Path, device: u32) -> Result<Self, TrtError> {
        let loaded = library::load(library)?;
        let driver = Driver::find(&loaded, library)?;
        let mut cuda = Self {
            driver,
            ordinal: 0,
            context: ptr::null_mut(),
            stream: ptr::null_mut(),
            name: String::new(),
            _loaded: loaded,
        };
        let (mut count, mut name) = (0, [0; 128]);
        // SAFETY: in the order that cuda.h demands, into places that live until after the calls.
        unsafe {
            cuda.check("cuInit", (cuda.driver.init)(0))?;
            cuda.check("cuDeviceGetCount", (cuda.driver.count)(&raw mut count))?;
            let wanted = c_int::try_from(device).unwrap_or(c_int::MAX);
            if wanted >= count {
                let words = format!("device {device} is asked for, of {count}");
                return Err(TrtError::Cuda { what: "cuDeviceGet", words });
            }
            let mut ordinal = 0;
            cuda.check("cuDeviceGet", (cuda.driver.device)(&raw mut ordinal, wanted))?;
            let room = c_int::try_from(name.len() - 1).unwrap_or_default();
            cuda.check("cuDeviceGetName", (cuda.driver.name)(name.as_mut_ptr(), room, ordinal))?;
            let mut context = ptr::null_mut();
            let retained = (cuda.driver.retain)(&raw mut context, ordinal);
            cuda.check("cuDevicePrimaryCtxRetain", retained)?;
            (cuda.ordinal, cuda.context) = (ordinal, context);
            cuda.enter()?;
            let mut stream = ptr::null_mut();
            cuda.check("cuStreamCreate", (cuda.driver.stream)(&raw mut stream, NON_BLOCKING))?;
            cuda.stream = stream;
            cuda.name = CStr::from_ptr(name.as_ptr()).to_string_lossy().into_owned();
        }
        Ok(cuda)
    }

    /// The GPU's model.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn check(&self, what: &'static str, code: Code) -> Result<(), TrtError> {
        if code == 0 {
            return Ok(());
        }
        let mut words = ptr::null();
        // SAFETY: the words are the driver's, for ever.
        let words = unsafe {
            let known = (self.driver.words)(code, &raw mut words) == 0 && !words.is_null();
            known.then(|| CStr::from_ptr(words).to_string_lossy().into_owned())
        };
        let words = words.unwrap_or_else(|| "an unknown error".into());
        Err(TrtError::Cuda { what, words: format!("error {code}, {words}") })
    }

    pub(crate) const fn stream(&self) -> Handle {
        self.stream
    }

    /// Makes the GPU this thread's.
    pub(crate) fn enter(&self) -> Result<(), TrtError> {
        // SAFETY: the context is retained as long as `self` lives.
        self.check("cuCtxSetCurrent", unsafe { (self.driver.enter)(self.context) })
    }

    pub(crate) fn wait(&self) -> Result<(), TrtError> {
        // SAFETY: the stream is ours.
        self.check("cuStreamSynchronize", unsafe { (self.driver.wait)(self.stream) })
    }

    /// Memory on the GPU, and as much here that the GPU can read and write by itself; both are freed by [`Self::free`].
    pub(crate) fn allocate(&self, bytes: usize) -> Result<(Address, Handle), TrtError> {
        let (mut there, mut here) = (0, ptr::null_mut());
        // SAFETY: into places that live until after the calls; what is got is zeroed while nobody else knows of it.
        unsafe {
            self.check("cuMemAlloc", (self.driver.allocate)(&raw mut there, bytes.max(4)))?;
            let got = (self.driver.allocate_host)(&raw mut here, bytes.max(4));
            if let Err(error) = self.check("cuMemAllocHost", got) {
                (self.driver.free)(there);
                return Err(error);
            }
            here.cast::<u8>().write_bytes(0, bytes.max(4));
        }
        Ok((there, here))
    }

    pub(crate) fn free(&self, (there, here): (Address, Handle)) {
        // SAFETY: both come from `allocate`, and are given back once.
        unsafe {
            (self.driver.free)(there);
            (self.driver.free_host)(here);
        }
    }

    pub(crate) fn upload(
        &self,
        (there, here): (Address, Handle),
        bytes: usize,
    ) -> Result<(), TrtError> {
        // SAFETY: both have as many bytes, and live until the stream was waited for.
        let code = unsafe { (self.driver.upload)(there, here, bytes, self.stream) };
        self.check("cuMemcpyHtoDAsync", code)
    }

    pub(crate) fn download(
        &self,
        (there, here): (Address, Handle),
        bytes: usize,
    ) -> Result<(), TrtError> {
        // SAFETY: both have as many bytes, and live until the stream was waited for.
        let code = unsafe { (self.driver.download)(here, there, bytes, self.stream) };
        self.check("cuMemcpyDtoHAsync", code)
    }

    /// What `work` puts into the stream, as a graph that can be launched at once.
    pub(crate) fn capture(
        &self,
        work: impl FnOnce() -> Result<(), TrtError>,
    ) -> Result<Handle, TrtError> {
        let (mut graph, mut executable) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the stream is ours, and a capture that was begun is ended, whatever the work comes to.
        unsafe {
            let begun = (self.driver.begin_capture)(self.stream, CAPTURE_THREAD_LOCAL);
            self.check("cuStreamBeginCapture", begun)?;
            let worked = work();
            let ended = (self.driver.end_capture)(self.stream, &raw mut graph);
            worked?;
            self.check("cuStreamEndCapture", ended)?;
            let made = (self.driver.instantiate)(&raw mut executable, graph, 0);
            (self.driver.free_graph)(graph);
            self.check("cuGraphInstantiate", made)?;
        }
        Ok(executable)
    }

    pub(crate) fn launch(&self, executable: Handle) -> Result<(), TrtError> {
        // SAFETY: the graph comes from `capture`, and what it works on lives as long as it does.
        self.check("cuGraphLaunch", unsafe { (self.driver.launch)(executable, self.stream) })
    }

    pub(crate) fn free_graph(&self, executable: Handle) {
        // SAFETY: it comes from `capture`, and is given back once.
        unsafe { (self.driver.free_executable)(executable) };
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        // SAFETY: what was taken is given back once; what was not taken is null, and not given back.
        unsafe {
            if !self.stream.is_null() {
                (self.driver.free_stream)(self.stream);
            }
            if !self.context.is_null() {
                (self.driver.release)(self.ordinal);
            }
        }
    }
}
