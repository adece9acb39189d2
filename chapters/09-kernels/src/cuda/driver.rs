//! A GPU by its driver: memory from the driver's pool, modules by NVRTC, products by cuBLASLt, all on candle's stream.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, PoisonError};

use candle_core::cuda_backend::WrapErr;
use candle_core::cuda_backend::cudarc::driver::result as driver;
use candle_core::cuda_backend::cudarc::driver::sys::{self, CUdevice_attribute, CUevent_flags, CUfunction_attribute};
use candle_core::cuda_backend::cudarc::driver::{CudaContext, CudaEvent, CudaFunction, CudaModule, CudaStream};
use candle_core::cuda_backend::cudarc::nvrtc::Ptx;
use candle_core::{Device, Result, bail};

use super::compiler::{Job, cache_folder};
use super::cublas_lt::{CublasLt, WORKSPACE_BYTES};
use super::libraries;
use super::machine::{Argument, Grid, Kernel, Machine, Module, Product};

// ANCHOR: open
/// Opens a GPU for training: one stream for everything, no events between uses of a tensor, and freed memory kept for the next step.
///
/// # Errors
/// If one of NVIDIA's libraries is missing, there is no such GPU, or the driver does not start.
pub fn open(ordinal: usize) -> Result<Device> {
    libraries::load()?;
    let device = Device::new_cuda_with_stream(ordinal)?;
    if let Device::Cuda(cuda) = &device {
        // SAFETY: all work is on the one stream, in order; there is nothing to wait for.
        unsafe { cuda.disable_event_tracking() };
        keep_freed_memory(cuda.cuda_stream().context())?;
    }
    Ok(device)
}

/// By default the driver's pool gives memory back to the system whenever the host waits, and asks for it again in the next step.
fn keep_freed_memory(context: &Arc<CudaContext>) -> Result<()> {
    if !context.has_async_alloc() {
        return Ok(());
    }
    let mut threshold = u64::MAX;
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the device exists; the attribute is a u64.
    unsafe {
        let pool = driver::device::get_default_mem_pool(context.cu_device()).w()?;
        sys::cuMemPoolSetAttribute(pool, attribute, (&raw mut threshold).cast()).result().w()
    }
}
// ANCHOR_END: open

/// The most bytes that were in use at one time, of tensors and of kernels' buffers: what the device's pool has lent.
///
/// # Errors
/// If the device is no GPU, or has no pool.
pub fn peak_memory_bytes(device: &Device) -> Result<u64> {
    let Device::Cuda(device) = device else { bail!("{device:?} is no CUDA device") };
    let attribute = sys::CUmemPool_attribute::CU_MEMPOOL_ATTR_USED_MEM_HIGH;
    let mut n_bytes = 0_u64;
    // SAFETY: the device exists; the attribute is a u64.
    unsafe {
        let pool = driver::device::get_default_mem_pool(device.cuda_stream().context().cu_device()).w()?;
        sys::cuMemPoolGetAttribute(pool, attribute, (&raw mut n_bytes).cast()).result().w()?;
    }
    Ok(n_bytes)
}

/// A GPU.
#[derive(Debug)]
pub(super) struct Driver {
    stream: Arc<CudaStream>,
    capability: (i32, i32),
    n_multiprocessors: usize,
    cublas_lt: CublasLt,
    workspace: u64,
    modules: Mutex<HashMap<Module, Arc<CudaModule>>>,
    functions: Mutex<HashMap<(Kernel, usize), CudaFunction>>,
    marks: Mutex<Vec<CudaEvent>>,
}

impl Driver {
    /// # Errors
    /// If the device is no GPU, or it fails.
    pub(super) fn new(device: &Device) -> Result<Self> {
        let Device::Cuda(device) = device else { bail!("CUDA kernels want a CUDA device, this one is {device:?}") };
        let stream = device.cuda_stream();
        let context = stream.context().clone();
        context.bind_to_thread().w()?;
        let n_multiprocessors = context.attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT).w()?;
        let capability = context.compute_capability().w()?;
        if capability.0 < 8 {
            bail!(
                "the CUDA kernels want compute capability 8.0 (Ampere) or later, this GPU has {}.{}; use --ops reference",
                capability.0,
                capability.1
            );
        }
        let workspace = allocate(&stream, WORKSPACE_BYTES)?;
        Ok(Self {
            stream,
            capability,
            n_multiprocessors: usize::try_from(n_multiprocessors).unwrap_or(1),
            cublas_lt: CublasLt::new()?,
            workspace,
            modules: Mutex::default(),
            functions: Mutex::default(),
            marks: Mutex::default(),
        })
    }

    fn bind(&self) -> Result<()> {
        self.stream.context().bind_to_thread().w()
    }

    // ANCHOR: function
    /// A kernel, ready to be launched with so many bytes of shared memory.
    fn function(&self, kernel: Kernel, shared_bytes: usize) -> Result<CudaFunction> {
        let mut functions = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(function) = functions.get(&(kernel, shared_bytes)) {
            return Ok(function.clone());
        }
        let function = self.module(kernel.module)?.load_function(kernel.name).w()?;
        if shared_bytes > 0 {
            // More than 48 KB must be asked for.
            let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            function.set_attribute(attribute, shared_bytes as i32).w()?;
        }
        functions.insert((kernel, shared_bytes), function.clone());
        Ok(function)
    }
    // ANCHOR_END: function

    fn module(&self, module: Module) -> Result<Arc<CudaModule>> {
        let mut modules = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = modules.get(&module) {
            return Ok(loaded.clone());
        }
        let job = Job::new(module, self.capability)?;
        let cache = cache_folder();
        let load = |code| self.stream.context().load_module(Ptx::from_binary(code)).w();
        let loaded = match load(job.code(cache.as_deref())?) {
            Ok(loaded) => loaded,
            Err(_) => {
                // A damaged file in the cache: compile once more.
                job.forget(cache.as_deref());
                load(job.code(cache.as_deref())?)?
            }
        };
        modules.insert(module, loaded.clone());
        Ok(loaded)
    }
}

fn allocate(stream: &CudaStream, n_bytes: usize) -> Result<u64> {
    // SAFETY: nothing but an allocation.
    let address = unsafe {
        match stream.context().has_async_alloc() {
            true => driver::malloc_async(stream.cu_stream(), n_bytes.max(1)),
            false => driver::malloc_sync(n_bytes.max(1)),
        }
    };
    address.map_err(|error| candle_core::Error::Msg(format!("allocating {n_bytes} bytes on the GPU: {error}")))
}

fn free(stream: &CudaStream, address: u64) {
    // SAFETY: allocated by `allocate`; what was launched before ends before the memory is used again. A driver that fails here has failed
    // before and said so.
    let _ = unsafe {
        match stream.context().has_async_alloc() {
            true => driver::free_async(address, stream.cu_stream()),
            false => driver::free_sync(address),
        }
    };
}

impl Drop for Driver {
    fn drop(&mut self) {
        if self.bind().is_ok() {
            free(&self.stream, self.workspace);
        }
    }
}

impl Machine for Driver {
    fn allocate(&self, n_bytes: usize) -> Result<u64> {
        self.bind()?;
        allocate(&self.stream, n_bytes)
    }

    fn free(&self, address: u64, _n_bytes: usize) {
        if self.bind().is_ok() {
            free(&self.stream, address);
        }
    }

    unsafe fn upload(&self, bytes: &[u8], to: u64) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller's; from memory that is not pinned the driver has copied the bytes when it returns.
        unsafe { driver::memcpy_htod_async(to, bytes, self.stream.cu_stream()) }.w()
    }

    unsafe fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller's; the bytes are read after the stream is done.
        unsafe { driver::memcpy_dtoh_async(bytes, from, self.stream.cu_stream()) }.w()?;
        self.stream.synchronize().w()
    }

    unsafe fn zero(&self, address: u64, n_bytes: usize) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller's.
        unsafe { driver::memset_d8_async(address, 0, n_bytes, self.stream.cu_stream()) }.w()
    }

    unsafe fn launch(&self, kernel: Kernel, grid: Grid, arguments: &[Argument]) -> Result<()> {
        self.bind()?;
        let function = self.function(kernel, grid.shared_bytes)?;
        let [x, y, z] = grid.blocks.map(|n| n as u32);
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // SAFETY: the caller's.
        let launched = unsafe {
            driver::launch_kernel(
                function.cu_function(),
                (x, y, z),
                (grid.threads as u32, 1, 1),
                grid.shared_bytes as u32,
                self.stream.cu_stream(),
                &mut pointers,
            )
        };
        launched.map_err(|error| candle_core::Error::Msg(format!("launching {} with {grid:?}: {error}", kernel.name)))
    }

    unsafe fn multiply(&self, product: &Product) -> Result<()> {
        self.bind()?;
        // SAFETY: the caller's.
        unsafe { self.cublas_lt.multiply(product, self.workspace, self.stream.cu_stream()) }
    }

    fn mark(&self) -> Result<()> {
        let event = self.stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).w()?;
        self.marks.lock().unwrap_or_else(PoisonError::into_inner).push(event);
        Ok(())
    }

    fn take_marks(&self) -> Result<Vec<f64>> {
        let marks = std::mem::take(&mut *self.marks.lock().unwrap_or_else(PoisonError::into_inner));
        // One f32 from the first mark on would be too coarse after some seconds; from one to the next it is exact.
        marks.windows(2).map(|pair| Ok(f64::from(pair[0].elapsed_ms(&pair[1]).w()?))).collect()
    }

    fn n_multiprocessors(&self) -> usize {
        self.n_multiprocessors
    }
}
