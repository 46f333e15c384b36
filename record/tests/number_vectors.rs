//! Every number of the vector table, in every style, comes out as the hotline needs it.

use proptest::prelude::*;
use record::number::{is_withheld, normalise};
use record::{NumberContext, PhoneKind};

fn hohhot() -> NumberContext {
    NumberContext {
        area_code: "0471".to_owned(),
        service_lines: vec!["12345".to_owned(), "12319".to_owned(), "4606032".to_owned()],
    }
}

/// `e164` empty means none.
#[track_caller]
fn check(inputs: &[&str], kind: PhoneKind, e164: &str) {
    for input in inputs {
        let number = normalise(input, &hohhot());
        let found = number.e164.as_ref().map_or("", |n| n.reveal().as_str());
        assert_eq!((number.kind, found), (kind, e164), "{input}");
    }
}

#[track_caller]
fn check_short(inputs: &[&str], raw: &str) {
    for input in inputs {
        let number = normalise(input, &hohhot());
        assert_eq!((number.kind, number.raw.reveal().as_str()), (PhoneKind::ServiceShort, raw), "{input}");
        assert_eq!(number.e164, None, "{input}");
        assert!(!number.may_be_called_back(), "{input}");
    }
}

#[test]
fn a_mobile_in_any_style_is_one_number() {
    check(
        &[
            "13912345678",
            "+8613912345678",
            "008613912345678",
            "8613912345678",
            "013912345678",
            "0086-139-1234-5678",
            "08613912345678",
            "+86 (139) 1234.5678",
            "＋８６１３９１２３４５６７８",
            "１３９　１２３４　５６７８",
            "tel:+86-139-1234-5678",
            "<sip:+8613912345678@10.0.0.1;user=phone>",
            "sip:%2B8613912345678@ims.example",
            "SIP:013912345678;phone-context=+86@host",
            "\u{202d}+8613912345678\u{202c}",
            "\u{feff}139\u{200b}12345678",
        ],
        PhoneKind::Mobile,
        "+8613912345678",
    );
}

#[test]
fn a_subscriber_of_the_city_is_found_with_and_without_area_code() {
    check(
        &[
            "04714862423",
            "+864714862423",
            "864714862423",
            "0471 4862423",
            "4862423",
            "486-2423",
            "（0471）4862423",
            "+86 (0471) 486 2423",
            "tel:4862423;phone-context=+86471",
        ],
        PhoneKind::Fixed,
        "+864714862423",
    );
    check(&["01087654321", "+861087654321", "1087654321"], PhoneKind::Fixed, "+861087654321");
    check(&["010-69800955"], PhoneKind::Fixed, "+861069800955");
}

#[test]
fn a_local_number_without_a_known_area_is_not_guessed() {
    let nowhere = NumberContext { area_code: String::new(), service_lines: Vec::new() };
    let number = normalise("4862423", &nowhere);
    assert_eq!((number.kind, number.e164), (PhoneKind::Unknown, None));
    assert_eq!(number.raw.reveal(), "4862423");
}

#[test]
fn the_line_of_this_city_is_a_service_and_no_subscriber() {
    check_short(
        &["12345", "0471-12345", "047112345", "+8647112345", "012345", "+86 12345", "+12345"],
        "12345",
    );
    for input in ["12345", "0471-12345", "047112345", "sip:12345@10.0.0.1"] {
        assert_eq!(normalise(input, &hohhot()).service_line(&hohhot()), Some("12345"), "{input}");
    }
    // A legacy line with a number of its own, and lines that are not answered here.
    assert_eq!(normalise("0471-4606032", &hohhot()).service_line(&hohhot()), Some("4606032"));
    assert_eq!(normalise("12315", &hohhot()).service_line(&hohhot()), None);
    assert_eq!(normalise("010-12345", &hohhot()).service_line(&hohhot()), None);
    assert_eq!(normalise("13912345678", &hohhot()).service_line(&hohhot()), None);
}

#[test]
fn services_keep_their_digits() {
    for short in
        ["95588", "10086", "12319", "12328", "12315", "110", "119", "120", "122", "12395", "12119", "96110"]
    {
        check_short(&[short], short);
    }
    check_short(&["106980095588"], "106980095588");
    check_short(&["0471-95588"], "95588");
    check_short(&["010-12345"], "01012345");
}

#[test]
fn company_numbers_have_an_e164_form_but_are_not_rung_back() {
    check(&["4001234567", "400-123-4567", "+864001234567"], PhoneKind::SharedCost, "+864001234567");
    check(&["8008101234", "+868008101234"], PhoneKind::TollFree, "+868008101234");
    for input in ["4001234567", "8008101234"] {
        assert!(!normalise(input, &hohhot()).may_be_called_back());
    }
}

#[test]
fn machines_are_never_rung_back() {
    check(&["1064012345678", "+861064012345678"], PhoneKind::Iot, "+861064012345678");
    check(&["1440012345678"], PhoneKind::Iot, "+861440012345678");
    assert!(!normalise("1064012345678", &hohhot()).may_be_called_back());
}

#[test]
fn a_middle_number_is_kept_and_not_mangled() {
    let number = normalise("125831391234567812", &hohhot());
    assert_eq!((number.kind, number.e164.clone()), (PhoneKind::Private, None));
    assert_eq!(number.raw.reveal(), "125831391234567812");
    assert!(!number.may_be_called_back());
}

#[test]
fn foreign_numbers_keep_their_country() {
    check(&["+85291234567", "0085291234567"], PhoneKind::Foreign, "+85291234567");
    check(&["+12025550123", "+1 (202) 555-0123"], PhoneKind::Foreign, "+12025550123");
}

#[test]
fn a_new_mobile_range_is_accepted_as_unlisted() {
    for input in ["14012345678", "16112345678", "17912345678", "12012345678"] {
        let number = normalise(input, &hohhot());
        assert_eq!(number.kind, PhoneKind::Mobile, "{input}");
        assert!(number.is_unlisted_mobile() && number.may_be_called_back(), "{input}");
    }
    assert!(!normalise("13912345678", &hohhot()).is_unlisted_mobile());
}

#[test]
fn what_is_no_number_keeps_its_text_within_a_bound() {
    check(
        &[
            "anonymous",
            "张三",
            "",
            "+",
            "139x2345678",
            "04712423",
            "+864862423",
            "999999999999999999999",
            "+1234",
        ],
        PhoneKind::Unknown,
        "",
    );
    assert_eq!(normalise("anonymous", &hohhot()).raw.reveal(), "anonymous");
    assert_eq!(normalise(&"9".repeat(100_000), &hohhot()).raw.reveal().len(), 64);
    assert_eq!(normalise(&"电".repeat(1_000), &hohhot()).raw.reveal().chars().count(), 64);
}

#[test]
fn masked_numbers_show_no_citizen() {
    for (input, masked) in [
        ("13900000001", "139****0001"),
        ("04714862423", "0471***2423"),
        ("01087654321", "010****4321"),
        ("4001234567", "400***4567"),
        ("1064012345678", "106******5678"),
        ("+85291234567", "+85*****4567"),
        ("125831391234567812", "125***********7812"),
        ("12345", "12345"),
        ("10086", "10086"),
        ("999999", "9****9"),
        ("张三", "***"),
        ("", ""),
    ] {
        assert_eq!(normalise(input, &hohhot()).masked(), masked, "{input}");
    }
}

#[test]
fn withheld_forms_are_recognised() {
    for user in [
        "",
        " ",
        "anonymous",
        "Anonymous",
        "anonymous@anonymous.invalid",
        "sip:anonymous@anonymous.invalid",
        "<sip:thisuser@anonymous.invalid>",
        "unavailable@unknown.invalid",
        "unavailable",
        "restricted",
        "sip:restricted@10.0.0.1",
        "Unknown",
        "0",
        "000",
        "13912345678@anonymous.invalid:5060",
    ] {
        assert!(is_withheld(user, None), "{user}");
    }
    assert!(is_withheld("13912345678", Some("\"Anonymous\"")));
    assert!(is_withheld("13912345678", Some("匿名")));
    for (user, display) in [
        ("13912345678", None),
        ("12345", Some("热线")),
        ("13912345678", Some("Unknown")),
        ("04714862423@10.0.0.1", None),
    ] {
        assert!(!is_withheld(user, display), "{user}");
    }
}

proptest! {
    #[test]
    fn no_input_panics(input in any::<String>(), area in "[0-9]{0,4}", display in any::<String>()) {
        let context = NumberContext { area_code: area, service_lines: vec!["12345".to_owned()] };
        let number = normalise(&input, &context);
        let _ = (number.masked(), number.service_line(&context), number.may_be_called_back());
        let _ = is_withheld(&input, Some(&display));
        prop_assert!(number.raw.reveal().chars().count() <= 64);
    }

    #[test]
    fn the_e164_form_normalises_to_itself(input in "(\\+|00|0|86|\\+86|)[0-9]{3,18}") {
        let number = normalise(&input, &hohhot());
        if let Some(e164) = &number.e164 {
            let text = e164.reveal();
            prop_assert!((8..=16).contains(&text.len()) && text.starts_with('+'), "{text}");
            let again = normalise(text, &hohhot());
            prop_assert_eq!((again.kind, again.e164.as_ref()), (number.kind, Some(e164)));
        }
    }

    #[test]
    fn a_masked_subscriber_hides_three_digits(input in "(1[3-9][0-9]{9}|0471[2-8][0-9]{6}|\\+[1-9][0-9]{9,13})") {
        let number = normalise(&input, &hohhot());
        if number.e164.is_some() {
            prop_assert!(number.masked().matches('*').count() >= 3);
        }
    }
}
