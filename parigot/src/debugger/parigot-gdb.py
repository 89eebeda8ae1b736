"""Prepares gdb for the guests of parigot. `parigot debug` runs this script.

In an editor, write it to a folder with `parigot debug --write-scripts DIR`, and let gdb run
`source DIR/parigot-gdb.py` first.
"""

import gdb
from gdb.unwinder import Unwinder, register_unwinder

for setting in (
    # Guests are compiled after the start, so their lines are not known yet.
    "breakpoint pending on",
    "print thread-events off",
    "print inferior-events off",
    # References of guests are followed when they are printed.
    "print max-depth 4",
    "print pretty on",
):
    gdb.execute("set " + setting)
gdb.execute("unset environment PARIGOT_GDB_SCRIPT")


def lock_steps(_):
    """Keeps steps in their thread: other threads run other guests."""
    gdb.execute("set scheduler-locking step")
    gdb.events.stop.disconnect(lock_steps)


# gdb accepts the setting once a process runs.
gdb.events.stop.connect(lock_steps)


class FrameId:
    """Identity of a frame for gdb: its stack pointer and its program counter."""

    def __init__(self, sp, pc):
        self.sp = sp
        self.pc = pc


class Trampolines(Unwinder):
    """Unwinds the code between guest and host, for which the engine writes no debug information.

    All code of the engine keeps a frame pointer: it points to the caller's frame pointer, behind
    which the return address lies.
    """

    REGISTERS = {"i386:x86-64": ("rip", "rbp", "rsp"), "aarch64": ("pc", "x29", "sp")}

    def __init__(self):
        super().__init__("parigot-trampolines")

    def __call__(self, frame):
        names = self.REGISTERS.get(frame.architecture().name())
        if names is None:
            return None
        pc, fp, sp = names
        address = int(frame.read_register(pc))
        if gdb.block_for_pc(address) is not None or not is_compiled(address):
            return None
        here = frame.read_register(fp)
        word = gdb.lookup_type("unsigned long").pointer()
        saved = here.cast(word)
        caller_sp = here + 16
        info = frame.create_unwind_info(FrameId(caller_sp, frame.read_register(pc)))
        info.add_saved_register(fp, saved.dereference())
        info.add_saved_register(pc, (saved + 1).dereference())
        info.add_saved_register(sp, caller_sp)
        return info


def is_compiled(address):
    """Returns whether an address is in code that this process has compiled."""
    try:
        with open(f"/proc/{gdb.selected_inferior().pid}/maps", encoding="utf-8") as maps:
            for line in maps:
                places, rights, _, _, inode, *_ = line.split()
                start, end = (int(place, 16) for place in places.split("-"))
                if start <= address < end:
                    return "x" in rights and inode == "0" and not line.rstrip().endswith("]")
    except OSError:
        pass
    return False


register_unwinder(None, Trampolines(), replace=True)


class NoMemory(Exception):
    """No frame of the selected thread belongs to a guest."""


def memory():
    """Returns the address of the memory of the guest that the selected thread runs."""
    frame = gdb.selected_frame()
    while frame is not None:
        try:
            return int(frame.read_var("__vmctx")["memory"])
        except (ValueError, gdb.error):
            frame = frame.older()
    raise NoMemory


POINTERS = ("WebAssemblyPtrWrapper<", "WebAssemblyRefWrapper<")


def is_pointer(kind):
    """Returns whether a type is a pointer of a guest: an offset in the guest's memory."""
    return (kind.name or "").startswith(POINTERS)


def pointer_in(value):
    """Returns the first pointer in a value, which the standard library wraps several times."""
    if is_pointer(value.type):
        return value
    if value.type.code == gdb.TYPE_CODE_STRUCT:
        for field in value.type.fields():
            pointer = pointer_in(value[field])
            if pointer is not None:
                return pointer
    return None


def address(pointer):
    """Returns the address in this process to which a pointer of a guest points."""
    return memory() + int(pointer["__ptr"])


def target(pointer, kind=None):
    """Returns the value to which a pointer of a guest points."""
    kind = kind or pointer.type.template_argument(0)
    return gdb.Value(address(pointer)).cast(kind.pointer()).dereference()


def text(pointer, length):
    """Returns the string of that length to which a pointer of a guest points."""
    if length == 0:
        return ""
    return bytes(gdb.selected_inferior().read_memory(address(pointer), length)).decode(
        errors="replace"
    )


class String:
    """Prints `&str` and `String`."""

    def __init__(self, value, length):
        self.value = value
        self.length = int(length)

    def to_string(self):
        return text(pointer_in(self.value), self.length)

    def display_hint(self):
        return "string"


class Sequence:
    """Prints `Vec<T>` and `&[T]`."""

    def __init__(self, value, length, item):
        self.value = value
        self.length = int(length)
        self.item = item

    def to_string(self):
        return f"{self.value.type.name} of {self.length}"

    def children(self):
        if self.length > 0:
            first = target(pointer_in(self.value), self.item).address
            for index in range(self.length):
                yield str(index), (first + index).dereference()

    def display_hint(self):
        return "array"


class Opaque:
    """Prints the name only of a value whose fields say nothing about the guest."""

    NAMES = ("parigot_guest::context::Context", "core::task::wake::Context")

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return self.value.type.name


class Pointer:
    """Prints a reference, a `Box` or a raw pointer, and the value to which it points."""

    def __init__(self, value):
        self.value = value

    def to_string(self):
        return f"@{int(self.value['__ptr']):#x}"

    def children(self):
        try:
            value = target(self.value)
            value.fetch_lazy()
        except (RuntimeError, gdb.error, NoMemory):
            # The type or the address is not known.
            return
        if value.type.sizeof > 0:
            yield "*", value


class Counted:
    """Prints an `Rc` or an `Arc`."""

    def __init__(self, value, field):
        self.value = value
        self.field = field

    def to_string(self):
        inner = target(pointer_in(self.value))
        return f"{self.value.type.name} with {int(pointer_count(inner))} owners"

    def children(self):
        yield "*", target(pointer_in(self.value))[self.field]


def pointer_count(inner):
    """Returns the number of owners of a counted value."""
    count = inner["strong"]
    while count.type.code == gdb.TYPE_CODE_STRUCT:
        count = count[count.type.fields()[0]]
    return count


def printer(value):
    """Returns the printer of a value of a guest, or None for gdb's own."""
    kind = value.type.strip_typedefs()
    name = kind.name or ""
    if kind.code != gdb.TYPE_CODE_STRUCT:
        return None
    if is_pointer(kind):
        return Pointer(value)
    if name in Opaque.NAMES:
        return Opaque(value)
    if name in ("&str", "&mut str"):
        return String(value, value["length"])
    if name.startswith(("&[", "&mut [")):
        pointer = value["data_ptr"]
        if is_pointer(pointer.type):
            return Sequence(value, value["length"], pointer.type.template_argument(0))
    pointer = pointer_in(value) if name.startswith("alloc::") else None
    if pointer is None:
        # A type of the host has pointers that gdb understands.
        return None
    if name == "alloc::string::String":
        return String(value, value["vec"]["len"])
    if name.startswith("alloc::vec::Vec<"):
        return Sequence(value, value["len"], kind.template_argument(0))
    if name.startswith("alloc::rc::Rc<"):
        return Counted(value, "value")
    if name.startswith("alloc::sync::Arc<"):
        return Counted(value, "data")
    return None


gdb.pretty_printers.append(printer)


class Deref(gdb.Function):
    """$deref(POINTER): the value to which a pointer of a guest points.

    `p *self` does not work, because a pointer of a guest is an offset in its memory.
    """

    def __init__(self):
        super().__init__("deref")

    def invoke(self, pointer):
        return target(pointer_in(pointer))


Deref()


class Parigot(gdb.Command):
    """Commands about the guests of parigot. `info threads` shows those that run."""

    def __init__(self):
        super().__init__("parigot", gdb.COMMAND_STATUS, prefix=True)


class ParigotCalls(gdb.Command):
    """Shows for each guest the calls that it waits for, in the order of their deadlines."""

    def __init__(self):
        super().__init__("parigot calls", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        # Another thread could stop in a breakpoint, or change what is shown.
        settings = {"scheduler-locking": "on", "language": "c"}
        before = {name: gdb.parameter(name) for name in settings}
        try:
            for name, value in settings.items():
                gdb.execute(f"set {name} {value}")
            lines = gdb.parse_and_eval("((char *(*)(void)) parigot_calls)()")
            print(lines.string().rstrip() if int(lines) else "no deployment runs here")
        finally:
            for name, value in before.items():
                gdb.execute(f"set {name} {value}")


Parigot()
ParigotCalls()
