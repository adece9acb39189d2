fn main() {
    preferences::tour(&mut std::io::stdout()).unwrap();
}
