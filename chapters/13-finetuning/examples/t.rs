use finetuning::laboratory::*; use std::time::Instant; use transformer::Transformer;
use finetuning::*;
fn main() {
    let lab = Laboratory::new().unwrap();
    let t = Instant::now();
    let model = lab.pretrained().unwrap();
    let names: Vec<_> = lab.world.towns().iter().take(6).map(|t| lab.tokenizer.encode(&format!(" {}", t.name)).len()).collect();
    eprintln!("pretrain {:.1}s vocab {} name tokens {names:?}", t.elapsed().as_secs_f64(), lab.tokenizer.vocab_size());
    finetuning::tour::report(&mut std::io::stdout(), "pre", &lab, &model).unwrap();
    let convs = two_manners(&fact_questions(lab.world.finetuning_towns()));
    for s in std::env::var("SFTS").unwrap_or_default().split(',') {
        let v: Vec<f64> = s.split(':').map(|x| x.parse().unwrap()).collect();
        let copy = Transformer::new(model.config().clone(), 0, model.device()).unwrap();
        copy.parameters().assign(&model.parameters().tensors().collect()).unwrap();
        let t = Instant::now();
        let mut task = Finetuning::new(&copy, &lab.tokenizer, &lab.template, (&convs, &[]), v[2] as usize, 0).unwrap();
        training::Trainer::new(&copy, settings(v[0] as usize, v[1])).unwrap().run(&mut task, None, &mut |_| {}).unwrap();
        let el = t.elapsed().as_secs_f64();
        finetuning::tour::report(&mut std::io::stdout(), &format!("sft {s} {el:.1}s"), &lab, &copy).unwrap();
    }
}
