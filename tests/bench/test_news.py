from dataclasses import replace

from segcli.bench import Status
from segcli.bench.news import GroupNews, headline
from tests.bench.test_advice import GOOD


def test_a_result_is_told_in_a_few_words() -> None:
    assert headline(replace(GOOD, median_s=0.0123)) == "loss/ohem forward 12.3 ms"
    assert headline(replace(GOOD, variant="compiled", mode="forward+backward")) == (
        "loss/ohem (compiled) forward+backward 1.00 s"
    )
    assert headline(replace(GOOD, status=Status.WRONG, median_s=None)) == "loss/ohem forward wrong"


def test_a_group_by_itself_is_told_when_its_first_kernel_comes_again() -> None:
    news = GroupNews(passes=2)
    fast, cold = replace(GOOD, median_s=1e-3), replace(GOOD, median_s=2e-3, caches="cold")
    assert [news.take(result) for result in (fast, cold)] == ["first: loss/ohem forward 1.00 ms", ""]
    assert news.take(fast) == "pass 1 of up to 2: loss, forward, 8x8 float32: 1 kernel, fastest ohem, 1.00 ms"
    assert news.take(cold) == ""
    assert news.end() == "pass 2 of up to 2: loss, forward, 8x8 float32: 1 kernel, fastest ohem, 1.00 ms"


def test_a_group_is_told_when_the_next_one_begins_and_the_last_one_at_the_end() -> None:
    news = GroupNews(passes=2)
    slow, fast = replace(GOOD, median_s=2e-3), replace(GOOD, kernel="dice", median_s=1e-3)
    # Cold after hot: the first condition is shown.
    cold = replace(fast, caches="cold", median_s=1e-9)
    other = replace(GOOD, suite="conv", kernel="standard", variant="compiled", median_s=3e-6)
    assert [news.take(result) for result in (slow, fast, cold)] == ["first: loss/ohem forward 2.00 ms", "", ""]
    assert news.take(other) == "pass 1 of up to 2: loss, forward, 8x8 float32: 2 kernels, fastest dice, 1.00 ms"
    assert (
        news.take(slow)
        == "pass 1 of up to 2: conv, forward, 8x8 float32: 1 kernel, fastest standard (compiled), 3.00 us"
    )
    assert news.end() == "pass 2 of up to 2: loss, forward, 8x8 float32: 1 kernel, fastest ohem, 2.00 ms"


def test_where_nothing_was_timed_there_is_nothing_fastest() -> None:
    news = GroupNews(passes=1)
    assert news.end() == ""
    news.take(replace(GOOD, median_s=None))
    assert news.end() == "pass 1 of up to 1: loss, forward, 8x8 float32: 1 kernel, none was timed"
