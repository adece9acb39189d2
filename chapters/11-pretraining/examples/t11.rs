fn main() {
    pretraining::tour(&mut std::io::stdout()).unwrap();
}
