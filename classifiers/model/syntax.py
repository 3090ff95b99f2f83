"""What a model takes for a name and is syntax of a programming language: annotations, macros, calls, keywords."""

from __future__ import annotations

import re
from typing import Final

# After the sign: tags of documentation, annotations, at-rules of style sheets, and who is nobody in particular.
_TAGS: Final = frozenset(
    """
    abstract abstractmethod addtogroup all alpha api apply apinote asynccontextmanager author autowired bean before
    beforeall beforeeach beta brief builder cached_property callback category channel charset class classmethod click code column
    component constant constructor container contextmanager controller copyright count data dataclass default defgroup deleted
    deprecated description directive documented each else emits encode end endcode endif entity enum event everyone example
    exception exclude export extend extends file fileoverview final fires fixture font-face for forward from function
    functionalinterface generated getmapping getter global group here hidden hookimpl hookspec hostlistener id if
    ignore implements import include index ingroup inherit inheritdoc injectable inject inner input interface internal
    jsx kind layer lazy license link listens lru_cache mainpage media member memberof method mixin module name namespace ngmodule
    nonnull nosideeffects note notnull nullable njit output overload override package packagedocumentation page param parametrize
    pipe postmapping precondition preserve private privateremarks prop properties property protected provides public pure readonly ref
    remarks repository requestmapping required requires restcontroller retval return returns route safevarargs sa sealed
    see serial service setter setup signature since size slot spec static staticmethod strict struct summary supports suppress
    suppresswarnings table tailwind task template test testset this throw throws todo total_ordering transactional type typedef
    typeparam use validator value variation version viewchild virtual warning wraps yields
    """.split()
)
# In small letters, where a name begins with one.
_KEYWORDS: Final = frozenset(
    """
    argc argv async await bool calloc const constexpr elseif elsif endif enum errno esac extern fprintf func goto
    ifdef ifndef impl inline isinstance issubclass kwargs malloc mutable namespace nil noexcept nonlocal nullptr omitempty
    omitzero printf println readonly realloc sizeof snprintf sprintf stderr stdin stdout struct syscall typedef typename uint
    uintptr ulong undef unsigned volatile wchar
    """.split()
)
# Of a name, and of what is looked at before it.
_LONGEST: Final = 256
_IDENTIFIER: Final = re.compile(r"[@#]?[A-Za-z_$][\w$]*(?:[.-][A-Za-z_$][\w$]*)*")
_MACRO: Final = re.compile(r"[A-Z0-9]+(?:_+[A-Z0-9]+){2,}_*")
# A capital after a small letter, but not as families write their names.
_CAMEL: Final = re.compile(r"(?!(?:Mc|Mac|De|Di|Du|La|Le|Van|Von|O|Fitz|St|Jo)[A-Z])\w*[a-z][A-Z]\w*")
_MEMBER: Final = re.compile(r"\w*_\w*(?:\.\w+)+|\w+\.(?:\w*_\w*|[A-Z]\w*[a-z][A-Z]\w*)")
# What is defined on one of the next lines is decorated. Bounded: every name of a text may ask.
_DECORATES: Final = re.compile(
    r"[ \t]*(?:\([^\n]{0,200}\))?[ \t]*\r?\n(?:\s{0,64}@[^\n]{0,200}\n){0,8}\s{0,64}"
    r"(?:(?:async|export|public|private|protected|internal|static|final|abstract|open|override|default|inline|suspend) )*"
    r"(?:def|class|fun|function|func|interface|enum|struct|record|object|val|var|let|const|void|constructor|int|String|boolean)\b"
)
# Elif is a name as well.
_BRANCH: Final = re.compile(r"elif\b[^\n]*:[ \t]*(?:#[^\n]*)?(?:\r?\n|\Z)")
# A call, and not `(at)` of a mail address.
_CALLED: Final = re.compile(r"\((?!(?:at|a|æt|@)\))|::|->|:=|\[")
_REACHED: Final = re.compile(r"(?:->|::|#\s?(?:define|ifn?def|undef) )\Z")


def is_syntax(text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]`, taken for a name, is an annotation, a macro, a keyword, or an identifier where code uses it.

    A name in quotes or in a comment is one, and so is all that only could be an identifier, such as `jane_doe`.
    """
    if end - start > _LONGEST:
        return False
    token = text[start:end]
    opens = not text[max(0, start - _LONGEST) : start].rpartition("\n")[2].strip()
    if token.split(maxsplit=1)[0] in _KEYWORDS or (opens and _BRANCH.match(text, start) is not None):
        return True
    if _IDENTIFIER.fullmatch(token) is None:
        return False
    if token[0] == "@":
        own = token[1:].rpartition(".")[2].lower()
        package = text[end : end + 1] == "/" and text[start - 1 : start] != "/"
        if own in _TAGS or package or (opens and _DECORATES.match(text, end) is not None):
            return True
        token = token[1:]
    if _MACRO.fullmatch(token) is not None or _MEMBER.fullmatch(token) is not None or token.startswith("__"):
        return True
    named = "_" in token or _CAMEL.fullmatch(token) is not None
    return named and (
        _CALLED.match(text, end) is not None or _REACHED.search(text, max(0, start - 12), start) is not None
    )
