//! An engine at work: its buffers, and the graph that runs it.

use std::{
    ffi::{CStr, c_void},
    ptr::{self, NonNull},
    slice,
};

use crate::{Cuda, Library, TrtError, cuda, library::refused};

/// What the numbers of a tensor are. Others are refused: heads take and give none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// `f32`.
    F32,
    /// `i64`.
    I64,
}

impl Element {
    /// Numbers of `nvinfer1::DataType`.
    const fn of(code: i32) -> Option<Self> {
        match code {
            0 => Some(Self::F32),
            8 => Some(Self::I64),
            _ => None,
        }
    }

    const fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::I64 => 8,
        }
    }
}

/// An input or output of an engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Whether it is an input.
    pub is_input: bool,
    /// Its numbers.
    pub element: Element,
    /// Its shape; -1 is a free size.
    pub shape: Vec<i64>,
}

impl Tensor {
    /// How many numbers it has; a free size counts as one.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().map(|&size| usize::try_from(size).unwrap_or(1)).product()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An engine, ready to run on the thread that owns it.
pub struct Network {
    tensors: Vec<Tensor>,
    buffers: Vec<(cuda::Address, cuda::Handle)>,
    graph: cuda::Handle,
    runtime: *mut c_void,
    engine: *mut c_void,
    context: *mut c_void,
    cuda: Cuda,
    // Last: everything above points into it.
    library: Library,
}

// SAFETY: the objects have no thread of their own, and `&mut` lets only one thread at them; every run enters the context.
unsafe impl Send for Network {}

impl Network {
    /// Loads a plan, allocates what a run needs, and captures the run.
    ///
    /// # Errors
    /// If TensorRT refuses the plan, it has tensors that are neither `f32` nor `i64`, or CUDA refuses.
    pub fn load(library: Library, cuda: Cuda, plan: &[u8]) -> Result<Self, TrtError> {
        cuda.enter()?;
        let runtime = library.runtime()?.as_ptr();
        let mut network = Self {
            tensors: Vec::new(),
            buffers: Vec::new(),
            graph: ptr::null_mut(),
            runtime,
            engine: ptr::null_mut(),
            context: ptr::null_mut(),
            cuda,
            library,
        };
        let shim = network.library.shim();
        // SAFETY: each object comes from the one before, which lives as long; the plan lives until after the call.
        unsafe {
            network.engine = (shim.engine)(runtime, plan.as_ptr().cast(), plan.len());
            NonNull::new(network.engine).ok_or_else(|| refused("loading an engine"))?;
            network.context = (shim.context)(network.engine);
            NonNull::new(network.context).ok_or_else(|| refused("preparing a run"))?;
        }
        network.describe()?;
        network.allocate()?;
        // The first run outside of a graph: TensorRT prepares itself, which must not be captured.
        network.enqueue()?;
        network.cuda.wait()?;
        network.graph = network.cuda.capture(|| network.enqueue())?;
        network.run()?;
        Ok(network)
    }

    fn describe(&mut self) -> Result<(), TrtError> {
        let shim = self.library.shim();
        // SAFETY: the engine lives.
        for at in 0..unsafe { (shim.tensors)(self.engine) } {
            let (mut name, mut is_input, mut element, mut sizes) = (ptr::null(), 0, 0, [0_i64; 8]);
            // SAFETY: the places live until after the call; the name lives as long as the engine, and is copied.
            let (rank, name) = unsafe {
                let rank = (shim.tensor)(
                    self.engine,
                    at,
                    &raw mut name,
                    &raw mut is_input,
                    &raw mut element,
                    sizes.as_mut_ptr(),
                );
                let rank = usize::try_from(rank).map_err(|_| refused("describing a tensor"))?;
                (rank, CStr::from_ptr(name).to_string_lossy().into_owned())
            };
            let Some(element) = Element::of(element) else {
                let words = format!("tensor `{name}` is neither f32 nor i64");
                return Err(TrtError::Refused { what: "describing a tensor", words });
            };
            let shape = sizes[..rank].to_vec();
            self.tensors.push(Tensor { name, is_input: is_input != 0, element, shape });
        }
        Ok(())
    }

    fn allocate(&mut self) -> Result<(), TrtError> {
        for tensor in &self.tensors {
            let buffer = self.cuda.allocate(tensor.len() * tensor.element.bytes())?;
            self.buffers.push(buffer);
            let name = std::ffi::CString::new(tensor.name.as_str()).unwrap_or_default();
            let address = buffer.0 as *mut c_void;
            // SAFETY: the name lives until after the call, the memory as long as the context.
            if unsafe { (self.library.shim().bind)(self.context, name.as_ptr(), address) } == 0 {
                return Err(refused("binding a tensor"));
            }
        }
        Ok(())
    }

    fn of(&self, inputs: bool) -> impl Iterator<Item = ((cuda::Address, cuda::Handle), usize)> {
        let tensors = self.tensors.iter().zip(&self.buffers);
        tensors
            .filter(move |(tensor, _)| tensor.is_input == inputs)
            .map(|(tensor, buffer)| (*buffer, tensor.len() * tensor.element.bytes()))
    }

    fn enqueue(&self) -> Result<(), TrtError> {
        for (buffer, bytes) in self.of(true) {
            self.cuda.upload(buffer, bytes)?;
        }
        // SAFETY: context and stream live, and every tensor has its address.
        if unsafe { (self.library.shim().enqueue)(self.context, self.cuda.stream()) } == 0 {
            return Err(refused("a run"));
        }
        for (buffer, bytes) in self.of(false) {
            self.cuda.download(buffer, bytes)?;
        }
        Ok(())
    }

    /// Its inputs and outputs.
    #[must_use]
    pub fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// TensorRT's version and the GPU's model: `tensorrt-rtx 1.7.1, NVIDIA L4`.
    #[must_use]
    pub fn description(&self) -> String {
        format!("{}, {}", self.library.version(), self.cuda.name())
    }

    /// A tensor of floats, by its place in [`Self::tensors`]: an input to be written before a run, or an output.
    #[must_use]
    pub fn floats_mut(&mut self, at: usize) -> &mut [f32] {
        let len = if self.tensors[at].element == Element::F32 { self.tensors[at].len() } else { 0 };
        // SAFETY: the buffer has room for so many, is aligned for any type, was zeroed, and is only written by a run,
        // which ends before `run` returns and needs `&mut`.
        unsafe { slice::from_raw_parts_mut(self.buffers[at].1.cast(), len) }
    }

    /// A tensor of integers, by its place.
    #[must_use]
    pub fn integers(&self, at: usize) -> &[i64] {
        let len = if self.tensors[at].element == Element::I64 { self.tensors[at].len() } else { 0 };
        // SAFETY: as above.
        unsafe { slice::from_raw_parts(self.buffers[at].1.cast(), len) }
    }

    /// Runs the network on what stands in its inputs, and waits for the answer.
    ///
    /// # Errors
    /// If CUDA refuses.
    pub fn run(&mut self) -> Result<(), TrtError> {
        self.cuda.enter()?;
        self.cuda.launch(self.graph)?;
        self.cuda.wait()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.cuda.enter();
        let _ = self.cuda.wait();
        let shim = self.library.shim();
        if !self.graph.is_null() {
            self.cuda.free_graph(self.graph);
        }
        // SAFETY: each was made once and is given back once, the dependent ones first.
        unsafe {
            if !self.context.is_null() {
                (shim.free_context)(self.context);
            }
            if !self.engine.is_null() {
                (shim.free_engine)(self.engine);
            }
            (shim.free_runtime)(self.runtime);
        }
        for buffer in self.buffers.drain(..) {
            self.cuda.free(buffer);
        }
    }
}
