"""Each data set's loader on a small sample in its format, written here."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile

import pytest

from classifiers.training import sets
from classifiers.training.sets import SETS
from classifiers.training.sets import __main__ as listing


def read(name, data):
    return list(sets.rows(name, data))


def marked(row):
    return [(row.text[start:end], kind) for start, end, kind in row.spans]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_gzip(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()))


def write_csv(path, *records):
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(records[0]))
        writer.writeheader()
        writer.writerows(records)


def spans_of(text, *marks):
    return [(text.index(value), text.index(value) + len(value), kind, value) for value, kind in marks]


def presidio(data, *records):
    made = [
        {
            "full_text": text,
            "template_id": template,
            "spans": [
                {"entity_type": kind, "entity_value": value, "start_position": start, "end_position": end}
                for start, end, kind, value in spans_of(text, *marks)
            ],
        }
        for text, template, marks in records
    ]
    write(data / "presidio-synth-v2" / "synth_dataset_v2.json", json.dumps(made))
    return read("presidio-synth-v2", data)


def test_presidio_types_become_ours(tmp_path):
    """GPE is a place, an age takes its unit, a title and a card have no span; the group is the template."""
    text = "Mr. Ada Byron, 34 years old, of Oslo has card 4111111111111111"
    marks = [
        ("Mr.", "TITLE"),
        ("Ada Byron", "PERSON"),
        ("34", "AGE"),
        ("Oslo", "GPE"),
        ("4111111111111111", "CREDIT_CARD"),
    ]

    (row,) = presidio(tmp_path, (text, 7, marks))

    assert [("Ada Byron", "PERSON"), ("34 years old", "AGE"), ("Oslo", "LOCATION")] == marked(row)
    assert ("presidio-synth-v2/7", frozenset()) == (row.group, row.unmarked)


def test_presidio_addresses_end_at_the_postcode(tmp_path):
    """Up to the postcode all is one ADDRESS, over line breaks; without one the town is a place."""
    whole = "Send it to 12 High Street\nSpringfield\n, IL 62701"
    parted = "I live at 12 High Street Apt. 4, Springfield, France"

    first, second = presidio(
        tmp_path,
        (whole, 1, [("12 High Street\nSpringfield\n, IL 62701", "STREET_ADDRESS")]),
        (parted, 2, [("12 High Street Apt. 4, Springfield, France", "STREET_ADDRESS")]),
    )

    assert [("12 High Street\nSpringfield\n, IL 62701", "ADDRESS")] == marked(first)
    assert [("12 High Street Apt. 4", "ADDRESS"), ("Springfield", "LOCATION"), ("France", "LOCATION")] == marked(second)


def test_presidio_repeats_and_unfilled_templates_are_dropped(tmp_path):
    """A text comes once, and one with a slot's name in it not at all."""
    found = presidio(tmp_path, ("What now?", 1, []), ("What now?", 1, []), ("at {street_name}", 2, []))

    assert ["What now?"] == [row.text for row in found]


def test_tweets_join_handles_and_mark_them_usernames(tmp_path):
    """The "@" and its handle are one USERNAME whatever their tag; the rest is detokenised and keeps its tags."""
    words = "RT/O @/B-PER ada_b/B-PER :/O met/O Sir/B-PER Bob/I-PER in/O #Oslo/B-LOC ./O via/O @/O carl/O"
    lines = "\n".join("\t".join(word.rsplit("/", 1)) for word in words.split())
    write(tmp_path / "broad-twitter-corpus" / "a.conll", f"{lines}\n\n")

    (row,) = read("broad-twitter-corpus", tmp_path)

    assert "RT @ada_b: met Sir Bob in #Oslo. via @carl" == row.text
    assert [("@ada_b", "USERNAME"), ("Bob", "PERSON"), ("Oslo", "LOCATION"), ("@carl", "USERNAME")] == marked(row)


def test_a_nationality_tagged_as_a_place_is_nrp(tmp_path):
    """One guideline: "Dutch" is NRP in every set."""
    write(tmp_path / "broad-twitter-corpus" / "a.conll", "The\tO\nDutch\tB-LOC\nwon\tO\n")

    assert [("Dutch", "NRP")] == marked(read("broad-twitter-corpus", tmp_path)[0])


def test_wnut_groups_and_corporations_are_organisations(tmp_path):
    """Products and works have no span."""
    lines = "Acme\tB-corporation\nbeat\tO\nColts\tB-group\nwith\tO\nHalo\tB-product\n3\tI-product\n"
    write(tmp_path / "wnut17" / "x.conll", lines)

    (row,) = read("wnut17", tmp_path)

    assert [("Acme", "ORGANIZATION"), ("Colts", "ORGANIZATION")] == marked(row)


def test_wikigold_is_iob1_by_article(tmp_path):
    """I opens an entity, MISC is dropped, dates are found by their form, and -DOCSTART- parts the groups."""
    lines = "Ada I-PER\nByron I-PER\nleft O\nOslo I-LOC\nin O\n1985 O\n. O\n\n-DOCSTART- O\n\nNobel I-MISC\nprize O\n"
    write(tmp_path / "wikigold" / "wikigold.conll.txt", lines)

    first, second = read("wikigold", tmp_path)

    assert ("Ada Byron left Oslo in 1985.", "Nobel prize") == (first.text, second.text)
    assert [("Ada Byron", "PERSON"), ("Oslo", "LOCATION"), ("1985", "DATE_TIME")] == marked(first)
    assert ([], "wikigold/0", "wikigold/1") == (marked(second), first.group, second.group)


def ner(path, text, *words, document="d1"):
    lines = "\n".join(f"{index}\t{word}\t{tag}\t-\tada" for index, (word, tag) in enumerate(words, 1))
    write(path, f"# newdoc id = {document}\n# sent_id = 1\n# text = {text}\n{lines}\n\n")


def test_universal_ner_takes_the_raw_sentence(tmp_path):
    """Spans lie on `# text =`, OTH has none, and the language is the treebank's."""
    words = [("Ada", "B-PER"), ("ide", "O"), ("u", "O"), ("Split", "B-LOC"), ("(", "O"), ("Nobel", "B-OTH"), (")", "O")]
    ner(tmp_path / "universal-ner" / "hr_set-ud-dev.iob2", "Ada ide u Split (Nobel)", *words)

    (row,) = read("universal-ner", tmp_path)

    assert ("Ada ide u Split (Nobel)", "hr") == (row.text, row.language)
    assert [("Ada", "PERSON"), ("Split", "LOCATION")] == marked(row)


def test_universal_ner_english_is_detokenised_and_chinese_has_no_spaces(tmp_path):
    """The English `# text =` is itself tokenised; Chinese words touch."""
    folder = tmp_path / "universal-ner"
    ner(
        folder / "en_ewt-ud-dev.iob2",
        "do n't go , Ada",
        ("do", "O"),
        ("n't", "O"),
        ("go", "O"),
        (",", "O"),
        ("Ada", "B-PER"),
    )
    ner(folder / "zh_gsdsimp-ud-dev.iob2", "他在北京。", ("他", "O"), ("在", "O"), ("北京", "B-LOC"), ("。", "O"))

    found = {row.language: (row.text, marked(row)) for row in read("universal-ner", tmp_path)}

    assert {"en": ("don't go, Ada", [("Ada", "PERSON")]), "zh": ("他在北京。", [("北京", "LOCATION")])} == found


def test_universal_ner_portuguese_is_contracted(tmp_path):
    """The treebank writes "de a" apart, people write "da", inside names too; what is unknown in doubt says so."""
    words = [
        ("Foi", "O"),
        ("a", "O"),
        ("o", "O"),
        ("Estrela", "B-ORG"),
        ("de", "I-ORG"),
        ("a", "I-ORG"),
        ("Praia", "I-ORG"),
    ]
    ner(tmp_path / "universal-ner" / "pt_bosque-ud-dev.iob2", "Foi a o Estrela de a Praia", *words)

    (row,) = read("universal-ner", tmp_path)

    assert ("Foi ao Estrela da Praia", [("Estrela da Praia", "ORGANIZATION")]) == (row.text, marked(row))


def test_universal_ner_leaves_out_words_that_are_not_the_text(tmp_path):
    """A sentence whose words do not spell its text has no row."""
    ner(tmp_path / "universal-ner" / "da_ddt-ud-dev.iob2", "Ada kom", ("Ada", "B-PER"), ("gik", "O"))

    assert [] == read("universal-ner", tmp_path)


def hwu(data, text, intent, *marks):
    folder = data / "hwu64"
    entities = [{"start": s, "end": e, "entity": kind, "value": v} for s, e, kind, v in spans_of(text, *marks)]
    document = {"rasa_nlu_data": {"common_examples": [{"text": text, "intent": intent, "entities": entities}]}}
    write(folder / "x.json", json.dumps(document))
    return read("hwu64", data)[0]


@pytest.mark.parametrize(
    ("text", "marks", "found"),
    [
        ("email john's mom", [("john's", "person")], [("john", "PERSON")]),
        ("weather in new york today", [("new york", "place_name"), ("today", "date")], [("new york", "LOCATION")]),
        ("go home", [("home", "place_name")], []),
        ("wake me friday six am", [("friday", "date"), ("six am", "time")], [("friday six am", "DATE_TIME")]),
        ("wake me in two hours", [("in two hours", "time")], []),
        ("call acme customer service", [("acme customer service", "business_name")], [("acme", "ORGANIZATION")]),
        ("set it for next monday", [("monday", "date")], [("next monday", "DATE_TIME")]),
    ],
)
def test_hwu64_slots_become_ours(tmp_path, text, marks, found):
    """Names in lower case are marked; "home", "today" and "in two hours" are none of ours."""
    assert found == marked(hwu(tmp_path, text, "calendar_set", *marks))


def test_hwu64_doubts_only_where_names_go_unmarked(tmp_path):
    """In a question on facts an unknown word may be a name; in an order to the lamp it is not."""
    doubts = frozenset({"PERSON", "LOCATION", "ORGANIZATION"})

    assert doubts == hwu(tmp_path, "who was tesla", "qa_factoid").unmarked
    assert frozenset() == hwu(tmp_path, "turn the lamp off", "iot_hue_lightoff").unmarked


def lifebench(data, text, *marks, person="ada"):
    spans = [{"start": s, "end": e, "type": kind, "text": v} for s, e, kind, v in spans_of(text, *marks)]
    record = {"user": person, "data_to_answer": text, "pii_spans": spans}
    write_gzip(data / "lifebench-pii" / f"{person}.jsonl.gz", json.dumps(record) + "\n")
    return read("lifebench-pii", data)


def test_lifebench_entries_are_rows_of_one_person(tmp_path):
    """A record is parted at its entries, all in the group of the person."""
    first, second = lifebench(tmp_path, "[SMS] Bob: I am on my way now\n\n[Note] Buy some milk", ("Bob", "PERSON"))

    assert (True, "Bob: I am on my way now") == (first.text.endswith("now"), first.text.removeprefix("[SMS] "))
    assert ([("Bob", "PERSON")], "lifebench-pii/ada", "lifebench-pii/ada") == (marked(first), first.group, second.group)
    assert "Buy some milk" == second.text.removeprefix("[Note] ")


def test_lifebench_addresses_and_names_follow_the_guideline(tmp_path):
    """A whole address is parted, a title and a role go, the room and "my brother" are no names."""
    place = "Kitchen in the home at Green Court, No. 68, Blue Road, Kaifu District"
    text = f"Ms. Ada Byron and my brother (at {place}; none)"

    (row,) = lifebench(tmp_path, text, ("Ms. Ada Byron", "PERSON"), ("my brother", "PERSON"), (place, "LOCATION"))

    assert [
        ("Ada Byron", "PERSON"),
        ("Green Court", "LOCATION"),
        ("No. 68, Blue Road", "ADDRESS"),
        ("Kaifu District", "LOCATION"),
    ] == marked(row)


def test_lifebench_doubts_dates_and_health(tmp_path):
    """Dates and diseases are not marked there: what may be one is in doubt, what is plain is marked."""
    (row,) = lifebench(tmp_path, "His asthma was bad on March 3 and the week after, in 1998s")

    assert ([("March 3", "DATE_TIME")], True) == (marked(row), {"MEDICAL", "DATE_TIME"} <= row.unmarked)


def dialogue(data, *turns, service="Hotels_1"):
    made = [
        {
            "utterance": text,
            "speaker": "USER",
            "frames": [
                {
                    "service": service,
                    "slots": [{"slot": k, "start": s, "exclusive_end": e} for s, e, k, _ in spans_of(text, *marks)],
                }
            ],
        }
        for text, *marks in turns
    ]
    folder = data / "schema-guided-dialogue"
    write_gzip(folder / "dialogues_001.json.gz", json.dumps([{"dialogue_id": "1_1", "turns": made}]))
    return read("schema-guided-dialogue", data)


def test_schema_guided_slots_become_ours(tmp_path):
    """Towns, streets, hotels and dates have their types, "tomorrow" none; a value is marked in every turn."""
    first, second = dialogue(
        tmp_path,
        ("Acme Inn in Oslo on March 3rd", ("Acme Inn", "hotel_name"), ("Oslo", "city"), ("March 3rd", "check_in_date")),
        ("Oslo tomorrow, at 1 High Street?", ("tomorrow", "date"), ("1 High Street", "street_address")),
    )

    assert [("Acme Inn", "ORGANIZATION"), ("Oslo", "LOCATION"), ("March 3rd", "DATE_TIME")] == marked(first)
    assert [("Oslo", "LOCATION"), ("1 High Street", "ADDRESS")] == marked(second)


def test_schema_guided_doctors_are_persons_practices_or_in_doubt(tmp_path):
    """A degree makes a person, a word of the trade a practice; a bare name in that slot is in doubt."""
    text = "Blue Dental Care, Ada Byron, M.D. or Bob Lee"
    (row,) = dialogue(
        tmp_path,
        (text, ("Blue Dental Care", "dentist_name"), ("Ada Byron, M.D.", "doctor_name"), ("Bob Lee", "doctor_name")),
        service="Services_1",
    )

    assert [("Blue Dental Care", "ORGANIZATION"), ("Ada Byron", "PERSON")] == marked(row)
    assert ({"PERSON", "ORGANIZATION"}, "health" in row.topics) == (set(row.unmarked), False)


def test_schema_guided_only_amounts_of_an_account_are_financial(tmp_path):
    """The turn with the amount is financial, another turn of the bank is unknown, a hotel's is not."""
    money, other = dialogue(tmp_path, ("Send $40 now", ("$40", "amount")), ("Anything else?",), service="Banks_1")
    (hotel,) = dialogue(tmp_path, ("Any pool?",))

    assert (True, None, False) == tuple(row.topics.get("financial") for row in (money, other, hotel))


def test_medical_ner_joins_the_two_files_of_one_corpus(tmp_path):
    """Drugs and diseases of a sentence are marked together; NCBI lacks drugs, so that MEDICAL is in doubt there."""
    folder = tmp_path / "medical-ner"
    for name in ("train.tsv", "devel.tsv"):
        write(folder / "BC5CDR-chem-IOB" / name, "L\tB-Chemical\n-\tI-Chemical\ndopa\tI-Chemical\nfor\tO\ngout\tO\n")
        write(folder / "BC5CDR-disease-IOB" / name, "L\tO\n-\tO\ndopa\tO\nfor\tO\ngout\tB-Disease\n")
        write(folder / "NCBI-disease-IOB" / name, "no\tO\ncancer\tB-Disease\n")

    joined, ncbi = read("medical-ner", tmp_path)

    assert ("L-dopa for gout", [("L-dopa", "MEDICAL"), ("gout", "MEDICAL")]) == (joined.text, marked(joined))
    assert ([("cancer", "MEDICAL")], {"MEDICAL"}, set()) == (marked(ncbi), set(ncbi.unmarked), set(joined.unmarked))


def test_mts_dialog_is_health_with_everything_in_doubt(tmp_path):
    """Talk and note are rows of one group about somebody's health, with no span and all types in doubt."""
    record = {
        "ID": "4",
        "section_header": "CC",
        "section_text": "Headache for two days.",
        "dialogue": "Doctor: What hurts?\nPatient: My head.",
    }
    write_csv(tmp_path / "mts-dialog" / "x.csv", record)

    talk, note = read("mts-dialog", tmp_path)

    assert ("mts-dialog/x/4", "mts-dialog/x/4", ()) == (talk.group, note.group, talk.spans)
    assert (True, True, True) == (talk.topics["health"], note.topics["health"], {"PERSON", "MEDICAL"} <= talk.unmarked)


def test_a_topic_with_a_hint_is_unknown(tmp_path):
    """Where a word hints at a child or at work, those topics are left out rather than false."""
    record = {
        "ID": "4",
        "section_header": "CC",
        "section_text": "Her son lost his job over pain.",
        "dialogue": "Patient: My head hurts a lot.",
    }
    write_csv(tmp_path / "mts-dialog" / "x.csv", record)

    talk, note = read("mts-dialog", tmp_path)

    assert (False, False) == (talk.topics["children"], talk.topics["hr"])
    assert (False, False) == ("children" in note.topics, "hr" in note.topics)


def test_aci_bench_talks_are_put_together(tmp_path):
    """Speakers are named and the tokenised words joined."""
    record = {
        "dataset": "d",
        "encounter_id": "E1",
        "dialogue": "[doctor] hi , ada . how are you ?\n[patient] i do n't know .",
        "note": "PLAN\n\nRest at home for now.",
    }
    write_csv(tmp_path / "aci-bench" / "x.csv", record)

    talk, note = read("aci-bench", tmp_path)

    assert "Doctor: hi, ada. how are you?\nPatient: i don't know." == talk.text
    assert ("PLAN\n\nRest at home for now.", "aci-bench/E1") == (note.text, note.group)


def meddocan(data, text, *marks):
    annotations = "".join(f"T{n}\t{k} {s} {e}\t{v}\n" for n, (s, e, k, v) in enumerate(spans_of(text, *marks), 1))
    path = data / "meddocan" / "meddocan-train-dev-brat.tar.gz"
    path.parent.mkdir()
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (("c/dev/brat/S1.txt", text), ("c/dev/brat/S1.ann", annotations)):
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return read("meddocan", data)


def test_meddocan_classes_become_ours(tmp_path):
    """Names, ages, dates, ids, institutions, whole addresses; sex and relatives have no span."""
    text = "\ufeffNombre: Ada. Edad: 34 a\u00f1os Sexo: H. NHC: 4711. Vive en Calle Sol, 3. 28001 Madrid, con su madre."
    (row,) = meddocan(
        tmp_path,
        text,
        ("Ada", "NOMBRE_SUJETO_ASISTENCIA"),
        ("34 a\u00f1os", "EDAD_SUJETO_ASISTENCIA"),
        ("H.", "SEXO_SUJETO_ASISTENCIA"),
        ("4711", "ID_SUJETO_ASISTENCIA"),
        ("Calle Sol, 3", "CALLE"),
        ("28001", "TERRITORIO"),
        ("Madrid", "TERRITORIO"),
        ("madre", "FAMILIARES_SUJETO_ASISTENCIA"),
    )

    assert text[1:] == row.text
    assert [
        ("Ada", "PERSON"),
        ("34 a\u00f1os", "AGE"),
        ("4711", "ID"),
        ("Calle Sol, 3. 28001 Madrid", "ADDRESS"),
    ] == marked(row)
    assert ("es", True, frozenset({"MEDICAL"})) == (row.language, row.topics["health"], row.unmarked)


@pytest.mark.parametrize(
    ("text", "intent", "financial"),
    [
        ("Why was my card charged twice?", "transaction_charged_twice", True),
        ("What is the fee for a top-up?", "top_up_by_card_charge", False),
        ("A transfer failed.", "failed_transfer", None),
    ],
)
def test_banking_is_financial_where_it_is_the_askers_own(tmp_path, text, intent, financial):
    """The asker's own card is financial, the bank's offer is not, else it is unknown; nothing is in doubt."""
    write_csv(tmp_path / "banking77" / "train.csv", {"text": text, "category": intent})

    (row,) = read("banking77", tmp_path)

    assert (financial, (), frozenset()) == (row.topics.get("financial"), row.spans, row.unmarked)


@pytest.mark.parametrize(
    "text",
    [
        "Can I pay in France?",
        "Ask Maria about it",
        "charged at denny's twice",
        "is it open on friday",
        "my card from acme and Bolt is lost",
    ],
)
def test_a_message_that_names_something_is_no_clean_negative(tmp_path, text):
    """A place, a name, a weekday or a capital inside the sentence leaves the message out."""
    write_csv(tmp_path / "banking77" / "train.csv", {"text": text, "category": "card_arrival"})

    assert [] == read("banking77", tmp_path)


def test_clinc_leaves_out_intents_with_names(tmp_path):
    """Travel and calls are left out, the rest is clean; own accounts are financial, own leave is hr."""
    parts = {
        "train": [
            ["book it for me", "book_flight"],
            ["what is my balance", "balance"],
            ["tell me a joke", "tell_joke"],
        ],
        "test": [["how many days off do i have", "pto_balance"], ["tell me a joke", "tell_joke"]],
    }
    write(tmp_path / "clinc150" / "data_full.json", json.dumps(parts))

    balance, joke, leave = read("clinc150", tmp_path)

    assert ("what is my balance", True, False) == (balance.text, balance.topics["financial"], balance.topics["hr"])
    assert ("tell me a joke", False, set()) == (
        joke.text,
        joke.topics["financial"],
        {t for t in joke.topics if joke.topics[t]},
    )
    assert ("how many days off do i have", True) == (leave.text, leave.topics["hr"])


def test_prompts_without_names_are_clean(tmp_path):
    """An instruction, and with its input; one that names somebody is left out, a hinted topic is unknown."""
    tasks = [
        {"id": "t1", "instruction": "Summarise the text.", "instances": [{"input": "it rained all day", "output": ""}]},
        {"id": "t2", "instruction": "Write a letter to Maria.", "instances": [{"input": "", "output": ""}]},
        {"id": "t3", "instruction": "Explain this function.", "instances": []},
    ]
    write(tmp_path / "prompts" / "x.jsonl", "\n".join(map(json.dumps, tasks)))

    found = read("prompts", tmp_path)

    assert ["Summarise the text.", "Summarise the text.\n\nit rained all day", "Explain this function."] == [
        row.text for row in found
    ]
    assert (False, None) == (found[0].topics["source_code"], found[2].topics.get("source_code"))


def test_pubmedqa_is_not_about_somebody(tmp_path):
    """Health is false for research; where an abstract may tell of one patient it is unknown, and MEDICAL in doubt."""
    record = {
        "QUESTION": "Does aspirin help?",
        "CONTEXTS": ["Groups were compared.", "A 34-year-old was treated."],
        "LONG_ANSWER": "It helps.",
    }
    write(tmp_path / "pubmedqa" / "ori_pqal.json", json.dumps({"1": record}))

    question, groups, case, _ = read("pubmedqa", tmp_path)

    assert (False, False, None) == tuple(row.topics.get("health") for row in (question, groups, case))
    assert (False, True) == ("MEDICAL" in question.unmarked, "MEDICAL" in groups.unmarked)
    assert [("34-year-old", "AGE")] == marked(case)


def test_tat_qa_leaves_financial_unknown(tmp_path):
    """A report's finances are neither true nor false, its other topics are false; dates are marked."""
    record = {
        "table": {"uid": "t1"},
        "paragraphs": [{"text": "Sales grew until 31 December 2019."}],
        "questions": [{"question": "How much?"}],
    }
    write(tmp_path / "tat-qa" / "tatqa_dataset_dev.json", json.dumps([record]))

    paragraph, question = read("tat-qa", tmp_path)

    assert ([("31 December 2019", "DATE_TIME")], False, False) == (
        marked(paragraph),
        "financial" in paragraph.topics,
        paragraph.topics["health"],
    )
    assert "tat-qa/t1" == question.group


def test_every_set_has_its_folder_and_loader():
    """The table names every set by its folder."""
    assert 17 == len(SETS)
    assert list(SETS) == [folder for folder, _ in SETS.values()]


def test_a_missing_folder_is_named(tmp_path):
    """A set whose folder is not there is an error, not an empty set."""
    with pytest.raises(FileNotFoundError, match="no folder `wnut17` of the set `wnut17`"):
        sets.rows("wnut17", tmp_path)


def test_the_listing_counts_rows_spans_and_topics(tmp_path, capsys):
    """`python -m classifiers.training.sets` prints what each wanted set holds."""
    presidio(tmp_path, ("I am Ada", 7, [("Ada", "PERSON")]), ("What now?", 8, []))

    assert 0 == listing.main(["--data", str(tmp_path), "presidio-synth-v2"])

    lines = capsys.readouterr().out.splitlines()
    assert ["presidio-synth-v2", "  languages  en 2", "  spans      PERSON 1", "  in doubt   none"] == [
        lines[0],
        *lines[2:5],
    ]
    assert lines[1].startswith("  rows       2: train ")


def test_the_listing_refuses_an_unknown_set(tmp_path, capsys):
    """A set that is not there ends with the names of those that are."""
    with pytest.raises(SystemExit):
        listing.main(["--data", str(tmp_path), "nothing"])

    assert "no such set: nothing (there are: presidio-synth-v2, " in capsys.readouterr().err
