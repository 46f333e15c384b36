//! A number as a carrier wants it written ([ITU-T E.123], RFC 3966), for the numbering plan of China.
//!
//! Only the form changes, never the number: what is not understood stays as it was given.
//!
//! [ITU-T E.123]: https://www.itu.int/rec/T-REC-E.123

use super::profile::{Manner, NumberFormat};

/// What a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind<'a> {
    /// Behind +86: area or mobile and subscriber, without the zero.
    Home(&'a str),
    /// Behind +: country and rest.
    Abroad(&'a str),
    /// 7 or 8 digits of the own area.
    Subscriber(&'a str),
    /// 110, 12345, 95598, 400…: the same everywhere, never rewritten.
    Service,
}

/// The number, written so; `area_code` is the own one with its zero.
pub(crate) fn written(number: &str, format: NumberFormat, area_code: &str) -> String {
    let plain: String = number.chars().filter(|character| !" -().".contains(*character)).collect();
    let area = area_code.trim_start_matches('0');
    if format == NumberFormat::AsGiven {
        return plain;
    }
    match (kind(&plain), format) {
        (Kind::Home(rest), NumberFormat::International) => format!("+86{rest}"),
        (Kind::Abroad(rest), NumberFormat::International) => format!("+{rest}"),
        (Kind::Subscriber(rest), NumberFormat::International) if !area.is_empty() => {
            format!("+86{area}{rest}")
        }
        (Kind::Home(rest), NumberFormat::Local) if !area.is_empty() && is_of_area(rest, area) => {
            rest.get(area.len()..).unwrap_or(rest).to_owned()
        }
        (Kind::Home(rest), _) if is_mobile(rest) || is_service(rest) => rest.to_owned(),
        (Kind::Home(rest), _) => format!("0{rest}"),
        (Kind::Abroad(rest), _) => format!("00{rest}"),
        (Kind::Subscriber(rest), NumberFormat::National) if !area.is_empty() => format!("0{area}{rest}"),
        (Kind::Subscriber(_) | Kind::Service, _) => plain,
    }
}

/// The user part of a URI with what the manner hangs behind it, and the parameters of the URI.
pub(crate) fn user_part(number: &str, manner: &Manner, area_code: &str) -> (String, &'static str) {
    let written = written(number, manner.number_format, area_code);
    let mut user = crate::fields::escape_user(&written);
    let area = area_code.trim_start_matches('0');
    if manner.phone_context && !written.starts_with('+') && !area.is_empty() {
        // RFC 3966 §5.1.5: what is not international needs a context.
        user.push_str(&format!(";phone-context=+86{area}"));
    }
    (user, if manner.user_phone { ";user=phone" } else { "" })
}

fn kind(plain: &str) -> Kind<'_> {
    if let Some(rest) = plain.strip_prefix('+').or_else(|| plain.strip_prefix("00")) {
        return match rest.strip_prefix("86") {
            Some(home) => Kind::Home(home),
            None => Kind::Abroad(rest),
        };
    }
    if !plain.bytes().all(|byte| byte.is_ascii_digit()) {
        return Kind::Service;
    }
    match plain.strip_prefix('0') {
        // 010…, 0471…; some exchanges put a zero before mobiles of other areas.
        Some(rest) if rest.len() >= 9 => Kind::Home(rest),
        Some(_) => Kind::Service,
        None if is_mobile(plain) => Kind::Home(plain),
        None if is_service(plain) => Kind::Service,
        None if matches!(plain.len(), 7 | 8) => Kind::Subscriber(plain),
        None => Kind::Service,
    }
}

fn is_mobile(rest: &str) -> bool {
    rest.len() == 11 && rest.starts_with('1') && rest.as_bytes().get(1).is_some_and(|second| *second >= b'3')
}

/// 3 to 6 digits, or 400 and 800 numbers.
fn is_service(rest: &str) -> bool {
    rest.len() <= 6 || (rest.len() == 10 && (rest.starts_with("400") || rest.starts_with("800")))
}

fn is_of_area(rest: &str, area: &str) -> bool {
    rest.strip_prefix(area).is_some_and(|subscriber| matches!(subscriber.len(), 7 | 8)) && !is_mobile(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_format_writes_each_kind_of_number() {
        use NumberFormat::{AsGiven, International, Local, National};
        // given, as given, international, national, local in 0471
        for (given, as_given, international, national, local) in [
            ("+86 471 486-2423", "+864714862423", "+864714862423", "04714862423", "4862423"),
            ("04714862423", "04714862423", "+864714862423", "04714862423", "4862423"),
            ("4862423", "4862423", "+864714862423", "04714862423", "4862423"),
            ("(010) 65550000", "01065550000", "+861065550000", "01065550000", "01065550000"),
            ("13900000000", "13900000000", "+8613900000000", "13900000000", "13900000000"),
            ("+8613900000000", "+8613900000000", "+8613900000000", "13900000000", "13900000000"),
            ("013900000000", "013900000000", "+8613900000000", "13900000000", "13900000000"),
            ("+82212345678", "+82212345678", "+82212345678", "0082212345678", "0082212345678"),
            ("0082212345678", "0082212345678", "+82212345678", "0082212345678", "0082212345678"),
            ("110", "110", "110", "110", "110"),
            ("12345", "12345", "12345", "12345", "12345"),
            ("4001234567", "4001234567", "4001234567", "4001234567", "4001234567"),
            ("*21#", "*21#", "*21#", "*21#", "*21#"),
            ("", "", "", "", ""),
        ] {
            for (format, wanted) in
                [(AsGiven, as_given), (International, international), (National, national), (Local, local)]
            {
                assert_eq!(written(given, format, "0471"), wanted, "{given} {format:?}");
            }
        }
    }

    #[test]
    fn what_is_not_international_gets_a_context_where_the_carrier_wants_one() {
        let manner = super::super::Profile::Ims.manner();
        assert_eq!(user_part("12345", &manner, "0471"), ("12345;phone-context=+86471".into(), ";user=phone"));
        assert_eq!(user_part("4862423", &manner, "0471"), ("+864714862423".into(), ";user=phone"));
    }
}
