//! Memory on the device: who owns it, and windows on it.
//!
//! A [`Buffer`] owns memory and gives it back when it is dropped; a [`View`] is an address, a length and an element type, checked where a kernel
//! takes it. The device works through one stream in order: memory that is given back is used again only after what was launched before.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use candle_core::{Result, bail};

use super::machine::Machine;

// ANCHOR: element
/// What stands in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Element {
    F32,
    Bf16,
    F64,
    U32,
    /// Tables for kernels.
    Byte,
}

impl Element {
    /// Bytes of one.
    pub(crate) fn n_bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::U32 => 4,
            Self::Bf16 => 2,
            Self::Byte => 1,
        }
    }
}
// ANCHOR_END: element

/// Memory of the device, for numbers of one kind.
#[derive(Debug)]
pub(crate) struct Buffer {
    machine: Arc<dyn Machine>,
    address: u64,
    element: Element,
    len: usize,
}

impl Buffer {
    /// Room for `len` numbers. What they are is not said: write before you read.
    ///
    /// # Errors
    /// If the device is out of memory.
    pub(crate) fn new(machine: &Arc<dyn Machine>, element: Element, len: usize) -> Result<Self> {
        let address = machine.allocate(len * element.n_bytes())?;
        Ok(Self { machine: machine.clone(), address, element, len })
    }

    /// All of it.
    pub(crate) fn view(&self) -> View<'_> {
        // SAFETY: the buffer owns these numbers for as long as the view borrows it.
        unsafe { View::new(self.address, self.element, self.len) }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.machine.free(self.address, self.len * self.element.n_bytes());
    }
}

// ANCHOR: view
/// A window on the device's memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    address: u64,
    element: Element,
    len: usize,
    owner: PhantomData<&'a ()>,
}

impl<'a> View<'a> {
    /// A window on `len` numbers at `address`.
    ///
    /// # Safety
    /// They must exist and stay for `'a`, and nothing but the device's stream may touch them meanwhile.
    pub(crate) unsafe fn new(address: u64, element: Element, len: usize) -> Self {
        Self { address, element, len, owner: PhantomData }
    }

    /// A part of it.
    ///
    /// # Errors
    /// If it does not reach so far.
    pub(crate) fn part(self, range: Range<usize>) -> Result<Self> {
        if range.start > range.end || range.end > self.len {
            bail!("numbers {range:?} are not within the {} of a window", self.len);
        }
        let address = self.address + (range.start * self.element.n_bytes()) as u64;
        Ok(Self { address, len: range.len(), ..self })
    }

    pub(crate) fn address(self) -> u64 {
        self.address
    }

    pub(crate) fn element(self) -> Element {
        self.element
    }

    pub(crate) fn len(self) -> usize {
        self.len
    }

    /// Checks that this is what a kernel is about to take as `name`.
    ///
    /// # Errors
    /// If element or length differ.
    pub(crate) fn must_be(self, name: &str, element: Element, len: usize) -> Result<()> {
        if (self.element, self.len) != (element, len) {
            bail!("{name}: a kernel wants {len} of {element:?} and was given {} of {:?}", self.len, self.element);
        }
        Ok(())
    }
}
// ANCHOR_END: view
