//! Numbers on the command line. A negative one is a value that its option refuses by name and range; left alone, clap takes `-1` for an unknown
//! option, and says of a count only that a digit is invalid.

use std::any::TypeId;

use clap::{ArgAction, Command};

/// The command with options that take negative numbers, if only to refuse them, and with counts that say what they want.
pub(super) fn with_numbers(command: Command) -> Command {
    let command = command.mut_args(|arg| {
        if !matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
            return arg;
        }
        let is_count = arg.get_value_parser().type_id() == TypeId::of::<usize>();
        let arg = arg.allow_negative_numbers(true);
        if is_count { arg.value_parser(whole::<usize>) } else { arg }
    });
    command.mut_subcommands(with_numbers)
}

/// A whole number that `T` can hold.
pub(super) fn whole<T: TryFrom<i128>>(text: &str) -> Result<T, String> {
    let number: i128 = text.parse().map_err(|_| "give a whole number such as 8".to_string())?;
    T::try_from(number).map_err(|_| match number {
        ..0 => format!("{number} is negative; give 0 or more"),
        _ => format!("{number} is more than this program counts to"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_say_what_they_want() {
        assert_eq!(whole::<usize>("8"), Ok(8));
        assert_eq!(whole::<u64>("18446744073709551615"), Ok(u64::MAX));
        assert!(whole::<u64>("-1").unwrap_err().contains("-1 is negative; give 0 or more"));
        assert!(whole::<u64>("18446744073709551616").unwrap_err().contains("18446744073709551616 is more"));
        for text in ["", "x", "1.5", "1e3", "٣"] {
            assert!(whole::<usize>(text).unwrap_err().contains("whole number"), "{text:?}");
        }
    }
}
