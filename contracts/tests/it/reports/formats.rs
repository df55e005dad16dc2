//! What holds for each format.

use std::collections::BTreeSet;

use d1_contracts::{DISCLAIMER, Report, ReportedOutcome};
use serde_json::Value;

use super::made::{
    ANOTHER, FAILS, NEEDS, STARTED, WAITS, case, cases, cells, failed, formats, good, mixed, put_aside,
    refused, report, told,
};

const PAN: &str = "9999990000000014";
const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2ln";

#[test]
fn every_format_begins_with_the_catalogue_and_says_what_it_is_not() {
    for (format, text) in formats(&mixed()) {
        let version =
            text.find(env!("CARGO_PKG_VERSION")).unwrap_or_else(|| panic!("{format}: no catalogue"));
        let notice = text.find(DISCLAIMER).unwrap_or_else(|| panic!("{format}: no notice"));
        let first = text.find("createToken").unwrap_or_else(|| panic!("{format}: no operation"));
        assert!(version < first && notice < first, "{format}");
        assert!(text.contains(FAILS), "{format}");
    }
}

#[test]
fn two_reports_of_one_run_are_equal_to_the_byte() {
    assert_eq!(formats(&mixed()), formats(&mixed()));
    // Cases that end in another order too.
    let one = |backwards: bool| {
        let cases = cases();
        let mut ran = vec![failed(&cases[0], "x"), failed(&cases[1], "x"), failed(&cases[2], "x")];
        if backwards {
            ran.reverse();
        }
        formats(&report("x", &cells(), cases, ran))
    };
    assert_eq!(one(true), one(false));
}

/// A client that calls itself so, tells so, and whose fault is said so.
fn hostile(text: &str) -> Report {
    let case = case(FAILS, refused());
    let mut ran = failed(&case, text);
    let code = Some(text.to_owned());
    ran.told = Some(told(ReportedOutcome::Refused { status: 403, code }));
    report(text, &cells(), vec![case], vec![ran])
}

#[test]
fn what_a_client_says_is_text_and_nothing_else() {
    let text = "\"'><img src=x onerror=alert(1)><script>alert(2)</script>&amp;</style>|`*[a](javascript:b)\u{7}\x1b[31m\n# x";
    let report = hostile(text);
    let html = report.html();
    for part in ["<img", "<script", "</style>&", "onerror=alert(1)>"] {
        assert!(!html.contains(part), "{part}: {html}");
    }
    assert!(html.contains("&lt;script&gt;") && html.contains("&amp;amp;"), "{html}");
    let markdown = report.markdown();
    for part in ["<img", "<script", "[a](", "\n# x", "**[", " |`"] {
        assert!(!markdown.contains(part), "{part}: {markdown}");
    }
    let line = markdown.lines().find(|line| line.contains("**reported**")).expect("a line");
    assert!(line.ends_with(" \\# x"), "a line break ends no line: {line}");
    let junit = report.junit().expect("XML");
    assert!(!junit.contains("<img") && !junit.contains('\x1b'), "{junit}");
    let name = report.text(d1_contracts::Paint::Plain);
    let line = name.lines().find(|line| line.starts_with("client: ")).expect("a line");
    assert!(!line.contains('\x1b') && !line.contains('\u{7}'), "{line:?}");
    for json in [report.json(), report.har(STARTED)] {
        assert!(serde_json::from_str::<Value>(&json).is_ok(), "{json}");
    }
}

#[test]
fn what_looks_like_a_secret_is_in_no_format_wherever_a_client_puts_it() {
    for secret in [PAN, "9999 9900 0000 0014", JWT] {
        for (format, text) in formats(&hostile(secret)) {
            assert!(!text.contains(secret), "{format}: {text}");
            assert!(text.contains("not shown") || format == "HAR", "{format}: {text}");
        }
    }
}

#[test]
fn a_cell_is_failed_if_a_case_of_it_failed_and_else_as_far_as_it_was_run() {
    let mut cases = cases();
    cases.push(case("inbound/createToken/201/none/again", ReportedOutcome::Ok));
    let second = cases.last().cloned().expect("a case");
    let mark = |ran| {
        let report = report("x", &cells(), cases.clone(), ran);
        let value: Value = serde_json::from_str(&report.json()).expect("JSON");
        let cells = value["cells"].as_array().expect("cells").clone();
        let cell = cells.into_iter().find(|cell| cell["cell"] == "inbound/createToken/201/none");
        cell.expect("a cell")["mark"].as_str().expect("a mark").to_owned()
    };
    assert_eq!(mark(vec![]), "not run");
    assert_eq!(mark(vec![super::made::passed(&second)]), "not run");
    assert_eq!(mark(vec![failed(&second, "x")]), "failed");
    assert_eq!(mark(vec![super::made::passed(&second), super::made::passed(&cases[0])]), "seen");
}

#[test]
fn the_page_needs_nothing_but_itself_and_every_link_leads_somewhere() {
    let html = mixed().html();
    for part in ["<script", "src=", "@import", "url(", "http:", "https:", "javascript:", "<link"] {
        assert!(!html.contains(part), "{part}");
    }
    let values = |attribute: &str| -> Vec<String> {
        let parts = html.split(attribute).skip(1);
        parts.filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
    };
    let ids = values(" id=\"");
    let known: BTreeSet<String> = ids.iter().map(|id| format!("#{id}")).collect();
    let links: BTreeSet<String> = values(" href=\"").into_iter().collect();
    assert_eq!(known.len(), ids.len(), "an id stands once");
    assert_eq!(links, known);
    assert_eq!(links.len(), cells().len());
    for wanted in [
        "Forbidden - Not Retryable. The certificate or the gateway",
        "FORBIDDEN: The certificate is not acceptable or the path names another gateway.",
        "sibling; S3, S9, C2, C3, C11",
        "expected refused with 403, told ok",
        "<details open>",
        "{&quot;encryptedData&quot;:&quot;(512 characters)&quot;}",
        &format!("{WAITS}: not run"),
        "no answer",
        "prefers-color-scheme: dark",
        "<th scope=\"row\">inbound/createToken</th>",
    ] {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }
}

#[test]
fn a_summary_of_a_job_stays_small_however_much_fails() {
    let cases: Vec<_> = (0..300).map(|n| case(&format!("{FAILS}-{n}"), refused())).collect();
    let ran = cases.iter().map(|case| failed(case, "x")).collect();
    let markdown = report("x", &cells(), cases, ran).markdown();
    assert!(markdown.len() < 200 * 1024 && markdown.contains("250 more failed"), "{}", markdown.len());
}

#[test]
fn the_archive_has_what_har_1_2_wants() {
    let har: Value = serde_json::from_str(&mixed().har(STARTED)).expect("JSON");
    let log = &har["log"];
    assert_eq!(log["version"], "1.2");
    assert!(log["creator"]["name"].is_string() && log["creator"]["version"].is_string());
    let entries = log["entries"].as_array().expect("entries");
    assert_eq!(entries.len(), 4, "one of the case that passed, three of the one that failed");
    for entry in entries {
        let texts = [
            "/startedDateTime",
            "/comment",
            "/request/method",
            "/request/url",
            "/request/httpVersion",
            "/response/statusText",
            "/response/httpVersion",
            "/response/content/mimeType",
            "/response/redirectURL",
        ];
        let numbers = [
            "/time",
            "/request/headersSize",
            "/request/bodySize",
            "/response/status",
            "/response/headersSize",
            "/response/bodySize",
            "/response/content/size",
            "/timings/send",
            "/timings/wait",
            "/timings/receive",
        ];
        let lists = [
            "/request/cookies",
            "/request/headers",
            "/request/queryString",
            "/response/cookies",
            "/response/headers",
        ];
        let at = |pointer: &str| entry.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}: {entry:#}"));
        assert!(texts.iter().all(|pointer| at(pointer).is_string()), "{entry:#}");
        assert!(numbers.iter().all(|pointer| at(pointer).is_i64()), "{entry:#}");
        assert!(lists.iter().all(|pointer| at(pointer).is_array()), "{entry:#}");
        assert!(at("/cache").is_object());
        let url = at("/request/url").as_str().expect("a text");
        assert!(url.starts_with("https://d1.invalid/") && !url.contains('{'), "{url}");
        if let Some(post) = entry.pointer("/request/postData") {
            assert!(post["mimeType"].is_string() && post["text"].is_string() && post["params"].is_array());
        }
    }
    // A foreign tool finds the operation by the contract's own path.
    let contract = d1_contracts::inbound().expect("the contract");
    let answered = entries.iter().filter(|entry| entry["response"]["status"] != 0);
    for entry in answered {
        let path = entry["request"]["url"].as_str().expect("a text").replace("https://d1.invalid", "");
        let matched = contract.operation("POST", &path).expect("an operation");
        assert_eq!(matched.operation.id(), "createToken");
    }
}

#[test]
fn what_is_put_aside_is_told_from_what_is_covered_in_every_format() {
    let report = put_aside();
    for (format, text) in formats(&report) {
        for (case, why) in [(WAITS, NEEDS), (FAILS, ANOTHER)] {
            let named = text.contains(case) && text.contains(why);
            assert!(named || format == "HAR", "{format}: {case}: {text}");
        }
        assert!(
            text.contains("3 of 4 cases run, 3 passed, 0 failed; witnesses")
                || ["JSON", "JUnit"].contains(&format),
            "{format}: {text}"
        );
        assert!(
            text.contains("2 put aside, whose cells are not covered") || ["JSON", "JUnit"].contains(&format),
            "{format}: {text}"
        );
    }
    let junit = report.junit().expect("XML");
    assert!(junit.contains("skipped=\"2\""), "{junit}");
    assert_eq!(junit.matches(&format!("<skipped message=\"{ANOTHER}\"/>")).count(), 1, "{junit}");
    let text = report.text(d1_contracts::Paint::Plain);
    assert!(text.contains("403 FORBIDDEN                    put aside 0 of 1"), "{text}");
}

#[test]
fn a_run_without_faults_has_no_chapter_of_them() {
    let report = good();
    assert!(!report.markdown().contains("Failed cases") && !report.markdown().contains("Gaps"));
    assert!(!report.html().contains("Gaps") && !report.html().contains("<details open>"));
    assert!(!report.junit().expect("XML").contains("<failure"));
}
