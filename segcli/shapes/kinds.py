"""What PyTorch 2.13 calls dtypes in its messages."""

# As its messages call them.
SCALARS = {
    "bool": "Bool",
    "uint8": "Byte",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
    "complex64": "ComplexFloat",
    "complex128": "ComplexDouble",
}
# As C++ names them.
C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
    "complex64": "c10::complex<float>",
    "complex128": "c10::complex<double>",
}
# Tensors of these have no name of their own.
_UNNAMED = ("bool", "bfloat16", "complex64", "complex128")


def tensor_type(dtype: str) -> str:
    """Return what messages call the type of a CPU tensor.

    Examples:
        >>> tensor_type("float32"), tensor_type("bool")
        ('torch.FloatTensor', 'CPUBoolType')
    """
    return f"CPU{SCALARS[dtype]}Type" if dtype in _UNNAMED else f"torch.{SCALARS[dtype]}Tensor"
