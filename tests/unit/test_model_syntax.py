"""Names that are syntax: what a model takes for people and users in source code."""

from __future__ import annotations

import pytest

from classifiers.model.syntax import is_syntax


def judged(marked: str) -> bool:
    """Whether what stands between the bars of `marked` is syntax."""
    before, value, after = marked.split("|")
    return is_syntax(before + value + after, len(before), len(before) + len(value))


@pytest.mark.parametrize(
    "marked",
    [
        "    |@abc.abstractmethod|\n    async def read(self): ...",
        "|@validate_arguments|(strict=True)\ndef call(): ...",
        "|@hookspec|\n@other\n    def run(): ...",
        " * |@param| name of the user",
        "|@Override|\n    public String toString() {",
        "|@everyone| the build is red",
        'import x from "|@npmcli|/arborist"',
        "#ifdef |LLVM_CODEGEN_H|\n",
        "see |@NFT_MSG_NEWRULE| for more",
        "    |elif| kind == other:\n        pass",
        "    |elif issubclass|(kind, str):",
        "if err != |nil| {",
        "x = |syscall_rawSyscall|(fd)",
        "key = |winreg.EnumKey|",
        "return |rust_x509.load_der|(data)",
        "node->|next_sibling| = 0",
        "#define |s_ulong| unsigned long",
        "static int |__val|;",
    ],
)
def test_syntax_is_no_name(marked: str) -> None:
    """Annotations, tags, packages, macros, keywords, members, and identifiers where code calls or reaches them."""
    assert judged(marked)


@pytest.mark.parametrize(("lines", "decorates"), [(8, True), (12, False)])
def test_a_definition_is_looked_for_in_a_few_lines(lines: int, decorates: bool) -> None:
    """In lines and lines of handles each is as quick to judge as one alone."""
    assert decorates is judged("|@jane|\n" + "@jane\n" * lines + "def ask(): ...")


@pytest.mark.parametrize(
    "marked",
    [
        "ask |Elif| Meyer about it",
        "|elif meyer| no direct report",
        "|Elif| said: come at ten",
        "thanks |@jane_doe|, see you",
        "|@jane|\ncan you look at this?",
        "https://example.com/|@jane|/posts",
        "login: |jane_doe|",
        "user = '|jane.doe|'",
        "grant all to |JANE_DOE|",
        "mail |jane_doe|(at)example.com",
        "|McDonald|(CEO) signed",
        "|Anna Kowalska|(35) lives here",
        "|anna.m.kowalska|",
        "-- written by |Nil| Aksoy",
    ],
)
def test_a_name_beside_code_is_one(marked: str) -> None:
    """What only could be an identifier stays, and so does everybody who is called like a keyword."""
    assert not judged(marked)
