"""Made-up texts for the bench: chat with code, tool calls and identifiers in it, dense lists, and floods."""

from __future__ import annotations

import base64
import json
import random
import uuid
from collections.abc import Callable, Mapping

_PROSE = (
    "Thanks for the quick answer, that already helps a lot with what we planned for the second half of the year.",
    "Could you rewrite the introduction so that it sounds less formal and still mentions the three main results?",
    "The meeting was moved twice because nobody from the supplier could say when the parts would arrive.",
    "I would start with the smallest case that fails and only then look at the logs of the other service.",
    "In the long run it is cheaper to keep one well written guide than to answer the same question every week.",
    "Our customers mostly ask how long delivery takes, whether returns are free, and who pays for damage on the way.",
    "Please list the advantages and disadvantages of both designs in a table and add a short recommendation.",
    "The old bridge was closed in spring, so the bus now takes the road along the river and needs ten minutes more.",
    "When the oven is hot, put the dough on the lower rack and bake it until the crust is brown and sounds hollow.",
    "She explained that the first version had been written in a hurry and that most of it could be thrown away.",
    "A good summary names the question, the method and the answer, and leaves out everything that was only tried.",
    "If the cache is cold the first request takes longer, which is why the graph shows a spike every morning.",
    "The children wanted to know why the moon seems larger when it stands close to the horizon.",
    "Write a friendly reminder to the team that the survey ends on Friday and that answers are anonymous.",
    "It depends on the licence: some allow commercial use as long as the notice is kept, others do not.",
    "He walked back to the station, bought a coffee and decided to take the later train after all.",
    "What would be a sensible budget for a kitchen of twelve square metres without moving any pipes?",
    "The function returns early when the list is empty, otherwise it sorts a copy and keeps the original order.",
    "I tried your suggestion and the error is gone, but now the second test takes four times as long as before.",
    "Translate the following paragraph into Spanish and keep the names of the products as they are.",
)
_CODE = (
    """def total(items, rate=0.19):
    net = sum(item.price * item.count for item in items if item.count > 0)
    return round(net * (1 + rate), 2)
""",
    """const load = async (userId) => {
  const response = await fetch(`/api/v2/users/${userId}?expand=orders`);
  return (await response.json()).orders.filter((order) => order.total > 100);
};
""",
    """SELECT c.name, count(*) AS orders FROM customers c JOIN orders o ON o.customer_id = c.id
WHERE o.created_at >= '2024-01-01' GROUP BY c.name HAVING count(*) > 3 LIMIT 50;
""",
    """$ kubectl get pods -n shop
cart-7d9f8b6c5d-x2x8k    1/1  Running  0  4d2h
search-5c6d7f9b8d-9qk4z  1/1  Running  3  12d
""",
)
_FIRST = "Anna Ben Carla David Elena Frank Greta Hugo Ines Jan".split()
_LAST = "Meyer Rossi Novak Silva Larsen Dupont Garcia Okafor Tanaka Smith".split()

Chance = random.Random


def _email(chance: Chance) -> str:
    return f"{chance.choice(_FIRST)}.{chance.choice(_LAST)}@example.{chance.choice(('com', 'org', 'net'))}".lower()


def _card(chance: Chance) -> str:
    body = f"4{chance.randrange(10**14):014d}"
    digits = [int(each) * (2 if at % 2 == 0 else 1) for at, each in enumerate(body)]
    number = f"{body}{-sum(each - 9 if each > 9 else each for each in digits) % 10}"
    return " ".join(number[at : at + 4] for at in range(0, 16, 4)) if chance.random() < 0.5 else number


def _iban(chance: Chance) -> str:
    account = f"{chance.randrange(10**18):018d}"
    number = f"DE{98 - int(f'{account}131400') % 97:02d}{account}"
    return " ".join(number[at : at + 4] for at in range(0, 22, 4)) if chance.random() < 0.5 else number


def _ssn(chance: Chance) -> str:
    return f"{chance.randrange(100, 665)}-{chance.randrange(10, 99)}-{chance.randrange(1000, 9999)}"


_IDENTIFIERS: tuple[Callable[[Chance], str], ...] = (
    lambda chance: f"Please send the invoice to {_email(chance)} and copy {_email(chance)}.",
    lambda chance: f"You can reach me at +49 30 {chance.randrange(10**6, 10**7)} after four.",
    lambda chance: f"My card is {_card(chance)}, it expires next year.",
    lambda chance: f"The refund goes to {_iban(chance)} ({chance.choice(_FIRST)} {chance.choice(_LAST)}).",
    lambda chance: f"His SSN is {_ssn(chance)}, please update the form.",
    lambda chance: f"The request came from 192.0.2.{chance.randrange(1, 255)} at {chance.randrange(10, 24)}:15.",
    lambda chance: (
        f"Order {chance.randrange(10**9)} was shipped on 2024-05-{chance.randrange(10, 28)}, see the portal."
    ),
)


def _call(chance: Chance) -> str:
    arguments = {"customerId": chance.randrange(10**6), "email": _email(chance), "since": "2024-05-12T10:00:00Z"}
    name = chance.choice(("find_orders", "update_contact", "createTicket"))
    function = {"name": name, "arguments": json.dumps(arguments)}
    return json.dumps({"id": f"call_{chance.getrandbits(96):024x}", "type": "function", "function": function})


def mixed_chat(size: int, seed: int = 1) -> str:
    """`size` characters of chat: prose with some code, tool calls, and a few identifiers in a thousand characters."""
    chance = random.Random(f"{size}/{seed}")  # noqa: S311  a load, not a secret
    pieces: list[str] = []
    length = 0
    while length < size:
        kind = chance.random()
        if kind < 0.05:
            piece = chance.choice(_CODE)
        elif kind < 0.12:
            piece = _call(chance)
        elif kind < 0.5:
            piece = chance.choice(_IDENTIFIERS)(chance)
        else:
            piece = " ".join(chance.choices(_PROSE, k=2))
        pieces.append(piece)
        length += len(piece) + 1
    return "\n".join(pieces)[:size]


LISTS: Mapping[str, Callable[[Chance], str]] = {
    "e-mail addresses": lambda chance: f"user{chance.randrange(10**5)}@example{chance.randrange(99)}.com\n",
    "telephone numbers": lambda chance: f"+49 30 {chance.randrange(10**6, 10**7)}\n",
    "CSV of cards": lambda chance: f"{chance.randrange(10**4)},Anna Meyer,{_card(chance)},12/27\n",
    "CSV of SSNs": lambda chance: f"Anna,{_ssn(chance)},US\n",
    "CSV of numbers": lambda chance: ",".join(str(chance.randrange(10**6)) for _ in range(8)) + "\n",
    "access log": lambda chance: (
        f'192.0.2.{chance.randrange(255)} - - [12/May/2024:12:30:{chance.randrange(10, 59)} +0000] "GET /a HTTP/1.1" 200 17\n'
    ),
    "application log": lambda chance: (
        f"2024-05-12 12:30:{chance.randrange(10, 59)} INFO worker-{chance.randrange(9)} done in {chance.randrange(999)} ms\n"
    ),
    "JSON": lambda chance: _call(chance) + ",\n",
    "JSON, Russian": lambda chance: json.dumps(f"Привет, как дела? Мой номер {chance.randrange(999)}") + ",\n",
    "URLs": lambda chance: (
        f"https://shop.example.com/p/{chance.randrange(9999)}?ref=mail&id={chance.randrange(9999)}\n"
    ),
    "UUIDs": lambda chance: f"{uuid.UUID(int=chance.getrandbits(128))}\n",
    "hashes": lambda chance: f"{chance.getrandbits(256):064x}\n",
    "base64": lambda chance: base64.b64encode(chance.randbytes(57)).decode() + "\n",
}

# Pieces that lead rules far into a text before they give up.
FLOODS = (
    *("7", ".", "@", "a@", "a@a.", "a@b.co ", "1.", "1 ", "(", "+", "+49 ", "1.2.3.4 ", ":", " f::1", " 1:1:1:1:1:1:1"),
    *("GB29 ABCD ", "eyJ", ".eyJaaaaaaaaaa", "ghp_", "-----BEGIN ", "-----BEGIN PRIVATE KEY-----", "212-456-7890 "),
    *(
        "030 901820, ",
        "0 0",
        "0.12345678 ",
        "4111 1111 1111 1111 ",
        "536-90-4399 ",
        "a.a-",
        "中",
        "2024-05-12 12:30:45 ",
    ),
    *("AB123456 ", "12345 ", "123456789012345 ", "1-1-", "1/1/", "bsn 111222333 ", "password: a", "http://", "%41"),
    *("&#65;", "\\u0041", "A1 ", "QUJD", "one two ", "x y z ", "TLP:", "taxId", "0x", "bc1q", "é1"),
)


def dense(line: Callable[[Chance], str], size: int) -> str:
    """`size` characters of lines."""
    chance = random.Random(size)  # noqa: S311  a load, not a secret
    lines: list[str] = []
    length = 0
    while length < size:
        lines.append(line(chance))
        length += len(lines[-1])
    return "".join(lines)[:size]


def flood(piece: str, size: int) -> str:
    """`piece` again and again, `size` characters of it."""
    return (piece * (size // len(piece) + 1))[:size]
