"""The suites: kernels that are timed side by side. Importing them does not import torch."""

from segcli.bench.kernel import Suite
from segcli.bench.suites.collectives import COLLECTIVES
from segcli.bench.suites.convs import CONVS
from segcli.bench.suites.copies import COPIES
from segcli.bench.suites.indexing import INDEXING
from segcli.bench.suites.loaders import LOADERS
from segcli.bench.suites.losses import LOSSES
from segcli.bench.suites.nets import NETS
from segcli.bench.suites.norms import NORMS
from segcli.bench.suites.resizing import RESIZING

SUITES: dict[str, Suite] = {
    suite.name: suite for suite in (LOSSES, CONVS, NORMS, INDEXING, RESIZING, NETS, LOADERS, COPIES, COLLECTIVES)
}
