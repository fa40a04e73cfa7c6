"""An invoice as a PDF: one page of plain lines, made when it is asked for."""

import base64
from datetime import UTC, datetime

from billing.money import Money
from billing.providers.sandbox.store import Record

_LINE_HEIGHT = 18
_OBJECTS = (
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
    " /Resources << /Font << /F1 5 0 R >> >> >>",
)
_FONT = "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"


def invoice_url(invoice: Record, customer: Record) -> str:
    """Return a `data:` URL that holds the invoice as a PDF."""
    document = _pdf(_lines(invoice, customer))
    return f"data:application/pdf;base64,{base64.b64encode(document).decode()}"


def _lines(invoice: Record, customer: Record) -> list[str]:
    body = invoice.body
    created = datetime.fromtimestamp(body["created"], UTC).date()
    return [
        f"Invoice {body['number']} (sandbox, not a tax document)",
        f"{created.isoformat()}, {body['status']}",
        f"{customer.body['name']} <{customer.body['email']}>",
        "",
        *(
            f"{line['quantity']} x {line['description']}: {Money(line['amount'], body['currency'])}"
            for line in body["lines"]
        ),
        f"Tax: {Money(body['tax'], body['currency'])}",
        f"Total: {Money(body['total'], body['currency'])}",
        f"Due: {Money(body['amount_due'], body['currency'])}",
    ]


def _pdf(lines: list[str]) -> bytes:
    """PDF 1.4 (ISO 32000-1, 7.5): objects, then a table of where each begins."""
    shown = "\n".join(f"({_escaped(line)}) Tj T*" for line in lines)
    text = f"BT /F1 12 Tf {_LINE_HEIGHT} TL 50 780 Td\n{shown}\nET".encode("cp1252", "replace")
    stream = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(text), text)
    parts = [*(each.encode() for each in _OBJECTS), stream, _FONT.encode()]
    document, offsets = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%b\nendobj\n" % (number, part)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(parts) + 1
    return document + (
        b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<< /Size %d /Root 1 0 R >>\n"
        b"startxref\n%d\n%%%%EOF\n" % (size, table, size, len(document))
    )


def _escaped(line: str) -> str:
    return line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
