"""Judges the classes and functions that a pickle names, by an allow-list. They are never looked up, let alone imported.

Source of the list: ``torch._weights_only_unpickler._get_allowed_globals`` of pytorch 2.13; a test holds the two
against each other. A list of dangerous names can never be whole, so ``unknown`` is not a promise of anything: the
verdict ``dangerous`` only says aloud what is known to run code.
"""

from enum import StrEnum

# The opcodes that weights_only loading reads. Source: ``torch/_weights_only_unpickler.py`` of pytorch 2.13.
WEIGHTS_ONLY_OPCODES = frozenset(
    [
        *("PROTO", "STOP", "MARK", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"),
        *("BINUNICODE", "SHORT_BINSTRING", "EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
        *("EMPTY_LIST", "APPEND", "APPENDS", "EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_SET"),
        *("BINGET", "LONG_BINGET", "BINPUT", "LONG_BINPUT", "GLOBAL", "REDUCE", "NEWOBJ", "BUILD", "BINPERSID"),
    ]
)


# What torch's planner writes into the ``.metadata`` of a distributed checkpoint, which is loaded without any list.
# Source: ``torch/distributed/checkpoint/{metadata,filesystem}.py`` of pytorch 2.6 to 2.13.
DCP_METADATA = frozenset(
    [
        *(
            f"torch.distributed.checkpoint.metadata.{name}"
            for name in (
                *("Metadata", "MetadataIndex", "StorageMeta", "TensorStorageMetadata", "TensorProperties"),
                *("BytesStorageMetadata", "ChunkStorageMetadata", "_MEM_FORMAT_ENCODING"),
            )
        ),
        *("torch.distributed.checkpoint.filesystem._StorageInfo", "torch.memory_format"),
        *("torch.serialization._get_layout", "pathlib.PosixPath", "pathlib.WindowsPath"),
        *("pathlib._local.PosixPath", "pathlib._local.WindowsPath"),
    ]
)


class Verdict(StrEnum):
    """What is known of a name."""

    ALLOWED = "allowed"
    """``torch.load(..., weights_only=True)`` accepts it."""
    UNKNOWN = "unknown"
    """It is refused there, and may do anything."""
    DANGEROUS = "dangerous"
    """It is refused there, and is known to run code or to touch files."""


def judge(path: str) -> Verdict:
    """Return the verdict on a dotted name.

    Examples:
        >>> judge("torch._utils._rebuild_tensor_v2").value, judge("posix.system").value
        ('allowed', 'dangerous')
    """
    if path in ALLOWED:
        return Verdict.ALLOWED
    module, _, _ = path.partition(".")
    dangerous = module in _DANGEROUS_MODULES or path in _DANGEROUS_NAMES
    return Verdict.DANGEROUS if dangerous else Verdict.UNKNOWN


def _in(module: str, names: str) -> set[str]:
    return {f"{module}.{name}" for name in names.split()}


_NUMBERS = ("Double", "Float", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte")

ALLOWED = frozenset(
    _in("builtins", "bytearray complex set")
    | _in("collections", "Counter OrderedDict")
    | {"_codecs.encode", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"}
    | {"torch.storage.TypedStorage", "torch.storage.UntypedStorage", "torch._tensor._rebuild_from_type_v2"}
    | _in(
        "torch._utils",
        "_rebuild_tensor _rebuild_tensor_v2 _rebuild_tensor_v3 _rebuild_qtensor _rebuild_sparse_tensor "
        "_rebuild_nested_tensor _rebuild_parameter _rebuild_parameter_with_state _rebuild_meta_tensor_no_storage "
        "_rebuild_wrapper_subclass _rebuild_device_tensor_from_numpy _rebuild_device_tensor_from_cpu_tensor",
    )
    | _in("torch", "Size Tensor device bool float16 float32 float64 bfloat16 complex32 complex64 complex128")
    | _in("torch", "float8_e4m3fn float8_e4m3fnuz float8_e5m2 float8_e5m2fnuz float8_e8m0fnu float4_e2m1fn_x2")
    | _in("torch", "qint8 qint32 quint8 quint4x2 quint2x4 bits8 bits16 bits1x8 bits2x4 bits4x2")
    | _in("torch", "per_tensor_affine per_tensor_symmetric per_channel_affine per_channel_symmetric")
    | {"torch.per_channel_affine_float_qparams"}
    | {f"torch.{sign}int{bits}" for sign in ("", "u") for bits in (*range(1, 9), 16, 32, 64)}
    | {f"torch.{number}Storage" for number in (*_NUMBERS, "Bool", "ComplexDouble", "ComplexFloat")}
    | {f"torch.cuda.{number}Storage" for number in (*_NUMBERS, "Bool", "ComplexDouble", "ComplexFloat")}
    | {f"torch.{number}Storage" for number in ("QInt8", "QInt32", "QUInt8", "QUInt4x2", "QUInt2x4")}
    | {f"torch.{number}Tensor" for number in (*_NUMBERS, "Bool")}
    | {f"torch.cuda.{number}Tensor" for number in (*_NUMBERS, "Bool")}
    | {f"torch.sparse.{number}Tensor" for number in _NUMBERS}
    | {f"torch.cuda.sparse.{number}Tensor" for number in _NUMBERS}
)

# Names that exploits of pickles have used; whole modules, and single names in modules that are harmless otherwise.
_DANGEROUS_MODULES = frozenset(
    [
        *(
            "os",
            "posix",
            "nt",
            "sys",
            "subprocess",
            "commands",
            "pty",
            "shutil",
            "ctypes",
            "_ctypes",
            "multiprocessing",
        ),
        *(
            "importlib",
            "zipimport",
            "pkgutil",
            "runpy",
            "code",
            "codeop",
            "pip",
            "ensurepip",
            "venv",
            "pydoc",
            "doctest",
        ),
        *(
            "pickle",
            "_pickle",
            "marshal",
            "dill",
            "cloudpickle",
            "joblib",
            "bdb",
            "pdb",
            "profile",
            "cProfile",
            "timeit",
        ),
        *("socket", "urllib", "http", "httplib", "requests", "aiohttp", "asyncio", "webbrowser"),
        *("ftplib", "imaplib", "smtplib", "telnetlib"),
    ]
)
_DANGEROUS_NAMES = frozenset(
    _in("builtins", "eval exec execfile compile open input file getattr setattr delattr globals locals vars __import__")
    | _in("builtins", "apply breakpoint map filter")
    | _in("operator", "attrgetter methodcaller")
    | _in("functools", "reduce")
    | _in("types", "CodeType FunctionType")
    | _in("numpy", "load fromfile memmap")
    | _in("numpy.testing._private.utils", "runstring")
    | _in("torch", "load save hub")
    | _in("torch.serialization", "load")
    | _in("torch.hub", "load load_state_dict_from_url download_url_to_file")
    | _in("torch.storage", "_load_from_bytes")
    | _in("torch.fx.graph_module", "reduce_graph_module")
    | {
        "torch.jit.unsupported_tensor_ops.execWrapper",
        "torch.utils.collect_env.run",
        "torch._dynamo.guards.GuardBuilder.get",
    }
)
