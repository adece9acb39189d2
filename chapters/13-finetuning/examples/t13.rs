fn main() {
    finetuning::tour(&mut std::io::stdout()).unwrap();
}
