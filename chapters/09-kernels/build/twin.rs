//! Compiles the CUDA kernels for the CPU, when the tests on the twin are asked for. Nothing else needs a C++ compiler.

pub(super) fn compile() {
    println!("cargo:rerun-if-changed=src/cuda");
    cc::Build::new()
        .cpp(true)
        .std("c++17")
        .opt_level(2)
        .flag("-Wno-unused-function")
        // GCC folds equal instances of a template into one and then finds that one's array too small.
        .flag_if_supported("-Wno-array-bounds")
        .flag_if_supported("-Wno-psabi")
        // NaN must stay NaN, and a product followed by a sum two roundings, whatever the machine.
        .flag("-ffp-contract=off")
        .include("src/cuda")
        .file("src/cuda/twin/twin.cpp")
        .compile("twin");
}
