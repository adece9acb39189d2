//! The trainable variables of a model: a map from name to [`Var`] in the order of the names.
//!
//! candle's `VarMap` is a hash map, whose order differs between two runs of the same program; sums over it (a gradient
//! norm) then differ in their last bits. A sorted map makes "same seed, same result" possible.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Result, Tensor, Var, bail};

// ANCHOR: parameters
/// Named variables, iterated in the order of their names.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    vars: BTreeMap<String, Var>,
}

impl Parameters {
    /// Adds a variable that starts at `value` and returns it as a tensor that shares its storage.
    ///
    /// # Errors
    /// If the name is taken.
    pub fn insert(&mut self, name: &str, value: &Tensor) -> Result<Tensor> {
        if self.vars.contains_key(name) {
            bail!("two parameters are named {name}");
        }
        let var = Var::from_tensor(value)?;
        let tensor = var.as_tensor().clone();
        self.vars.insert(name.to_string(), var);
        Ok(tensor)
    }

    /// Name and variable, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Var)> {
        self.vars.iter().map(|(name, var)| (name.as_str(), var))
    }
}
// ANCHOR_END: parameters

impl Parameters {
    /// The variable of that name.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.vars.get(name)
    }

    /// Number of scalars in all variables.
    pub fn n_scalars(&self) -> usize {
        self.vars.values().map(|var| var.elem_count()).sum()
    }

    /// Number of variables.
    pub fn len(&self) -> usize {
        self.vars.len()
    }

    /// Whether there is no variable.
    pub fn is_empty(&self) -> bool {
        self.vars.is_empty()
    }

    /// Name and current value, sorted by name: what a checkpoint holds.
    pub fn tensors(&self) -> impl Iterator<Item = (String, Tensor)> {
        self.vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor()))
    }

    /// Overwrites every variable with the value of the same name, converted to its dtype and device.
    ///
    /// # Errors
    /// Names every variable that has no value, every value that has no variable, and every shape that differs; nothing
    /// is written then.
    pub fn assign(&self, values: &std::collections::HashMap<String, Tensor>) -> Result<()> {
        let mut problems: Vec<String> = Vec::new();
        for (name, var) in &self.vars {
            match values.get(name) {
                None => problems.push(format!("{name} is missing")),
                Some(value) if value.dims() != var.dims() => {
                    problems.push(format!("{name} has shape {:?}, the model wants {:?}", value.dims(), var.dims()));
                }
                Some(_) => {}
            }
        }
        let mut unknown: Vec<&String> = values.keys().filter(|name| !self.vars.contains_key(*name)).collect();
        unknown.sort();
        problems.extend(unknown.iter().map(|name| format!("{name} is not a parameter of the model")));
        if !problems.is_empty() {
            let shown = problems.iter().take(4).cloned().collect::<Vec<_>>().join("; ");
            let more = problems.len().saturating_sub(4);
            bail!(
                "weights do not fit the model: {shown}{}",
                if more > 0 { format!("; and {more} more") } else { String::new() }
            );
        }
        for (name, var) in &self.vars {
            var.set(&values[name].to_dtype(var.dtype())?.to_device(var.device())?.contiguous()?)?;
        }
        Ok(())
    }

    /// A copy with variables of its own, as the frozen reference of a preference loss needs.
    ///
    /// # Errors
    /// Only if the device runs out of memory.
    pub fn deep_clone(&self) -> Result<Self> {
        let vars = self
            .vars
            .iter()
            .map(|(name, var)| Ok((name.clone(), Var::from_tensor(&var.as_detached_tensor().copy()?)?)));
        Ok(Self { vars: vars.collect::<Result<_>>()? })
    }

    /// The variables whose names are not `excluded`; they are shared, not copied.
    pub fn without(&self, excluded: impl Fn(&str) -> bool) -> Self {
        let vars = self.vars.iter().filter(|(name, _)| !excluded(name));
        Self { vars: vars.map(|(name, var)| (name.clone(), var.clone())).collect() }
    }

    /// Dtype and device of the first variable (all share them), or f32 on the CPU if there is none.
    pub fn placement(&self) -> (DType, Device) {
        self.vars.values().next().map_or((DType::F32, Device::Cpu), |var| (var.dtype(), var.device().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::new(values, &Device::Cpu).unwrap()
    }

    fn parameters() -> Parameters {
        let mut parameters = Parameters::default();
        parameters.insert("a", &tensor(&[1.0, 2.0])).unwrap();
        parameters.insert("b", &tensor(&[3.0])).unwrap();
        parameters
    }

    fn values(parameters: &Parameters) -> Vec<Vec<f32>> {
        parameters.tensors().map(|(_, value)| value.to_vec1().unwrap()).collect()
    }

    #[test]
    fn a_name_is_given_once() {
        let mut parameters = parameters();
        let error = parameters.insert("a", &tensor(&[9.0])).unwrap_err().to_string();
        assert!(error.contains("two parameters are named a"), "{error}");
        assert_eq!(values(&parameters), [vec![1.0, 2.0], vec![3.0]]);
    }

    #[test]
    fn a_refused_assignment_names_every_problem_and_writes_nothing() {
        let parameters = parameters();
        let assign = |values: &[(&str, &[f32])]| {
            let values: HashMap<_, _> = values.iter().map(|(name, x)| (name.to_string(), tensor(x))).collect();
            parameters.assign(&values).map_err(|error| error.to_string())
        };
        for (refused, problem) in [
            (assign(&[("a", &[7.0, 8.0])]), "b is missing"),
            (assign(&[("a", &[7.0, 8.0]), ("b", &[9.0, 9.0])]), "b has shape [2], the model wants [1]"),
            (assign(&[("a", &[7.0, 8.0]), ("b", &[9.0]), ("c", &[9.0])]), "c is not a parameter of the model"),
        ] {
            let error = refused.unwrap_err();
            assert!(error.contains(problem), "{error}");
            assert_eq!(values(&parameters), [vec![1.0, 2.0], vec![3.0]]);
        }
        assign(&[("a", &[7.0, 8.0]), ("b", &[9.0])]).unwrap();
        assert_eq!(values(&parameters), [vec![7.0, 8.0], vec![9.0]]);
    }
}
