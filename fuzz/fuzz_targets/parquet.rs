#![no_main]

// The reader catches the panics of the Parquet library on damaged tables; the fuzzer's hook would end the process first.
libfuzzer_sys::fuzz_target!(
    init: std::panic::set_hook(Box::new(|_| {})),
    |bytes: &[u8]| fuzz_checks::check("parquet")(bytes)
);
