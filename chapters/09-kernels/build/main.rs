//! What the kernels need before the compiler runs: entry points for CUDA's libraries (feature `cuda`), and the twin (feature `twin`).

#[cfg(feature = "cuda")]
mod entry_points;
#[cfg(feature = "twin")]
mod twin;

fn main() {
    println!("cargo:rerun-if-changed=build");
    #[cfg(feature = "cuda")]
    entry_points::generate();
    #[cfg(feature = "twin")]
    twin::compile();
}
