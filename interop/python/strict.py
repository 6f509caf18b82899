"""Makes the SDK tell what it otherwise passes over: elements that it does not know, and words that are none of an enumeration."""
import types

from ovirtsdk4 import reader, xml

unknown = set()


class Cursor:
    """The SDK's cursor over a document, which remembers where it stands."""

    def __init__(self, source):
        self._cursor = xml.XmlReader(source)

    def __getattr__(self, name):
        return getattr(self._cursor, name)

    def next_element(self):
        name = self._cursor.node_name()
        if name not in ("link", "actions"):  # the SDK has read a link's attributes; it knows actions by itself
            unknown.add(name)
        self._cursor.next_element()


def parse_enum(enumeration, text):
    if text is None:
        return None
    try:
        return enumeration(text)
    except ValueError:
        unknown.add("%s=%s" % (enumeration.__name__, text))
        return None


reader.xml = types.SimpleNamespace(XmlReader=Cursor)
reader.Reader.parse_enum = staticmethod(parse_enum)
