// SPDX-License-Identifier: Apache-2.0
#include "engine/eval/verdict_pool.h"
#include "tests/engine/eval/leftovers.h"

#include <QtTest>
#include <atomic>
#include <csignal>
#include <mutex>
#include <unistd.h>

using namespace quantscope;
using namespace quantscope::eval;
using namespace std::chrono_literals;

namespace {

using Clock = std::chrono::steady_clock;

struct Ended {
    std::string name;
    Verdict verdict;
    Clock::time_point end;
};

/// Collects verdicts from the pool's threads.
class Collector {
  public:
    VerdictPool::Callback as(std::string name) {
        return [this, name = std::move(name)](const Verdict& verdict) {
            const std::lock_guard lock(mutex_);
            ended_.push_back({name, verdict, Clock::now()});
        };
    }
    [[nodiscard]] const std::vector<Ended>& all() const { return ended_; } ///< after wait_idle()
    [[nodiscard]] int count(VerdictKind kind) const {
        return static_cast<int>(std::count_if(ended_.begin(), ended_.end(),
                                              [&](const Ended& e) { return e.verdict.kind == kind; }));
    }
    [[nodiscard]] std::string unlike(VerdictKind kind) const {
        std::string text;
        for (const Ended& e : ended_) {
            if (e.verdict.kind != kind)
                text += e.name + " " + to_string(e.verdict.kind) + ": " + e.verdict.detail + "\n";
        }
        return text;
    }

  private:
    std::mutex mutex_;
    std::vector<Ended> ended_;
};

const Problem problem{"T/0", "def f():\n", "f", "    return 1\n", "def check(c):\n    assert c() == 1\n"};

} // namespace

class TestVerdictPool : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void initTestCase();
    void cleanup();
    void killedOwnerLeavesNothing();
    void canonicalSolutionsPass();
    void returnNoneNeverPasses();
    void constantsNeverPass();
    void earlyExitsNeverPass();
    void timeoutsAreRerunAlone();
    void persistentTimeoutsCount();
    void cancelEndsEverything();
    void destructionDeliversEverything();
    void repeatsAreReused();
    void failsClosed();

  private:
    /// Verdicts of `completion` on every `step`-th official problem.
    void runOnAll(Collector& collector, const std::string& completion, std::size_t step = 1);
    std::optional<Sandbox> sandbox_;
    std::vector<Problem> official_;
};

void TestVerdictPool::initTestCase() {
    adopt_orphans();
    auto sandbox = Sandbox::open();
    if (!sandbox)
        QSKIP(("no sandbox here: " + sandbox.error().message + ". " + sandbox.error().hint).c_str());
    sandbox_.emplace(std::move(*sandbox));
    auto problems = read_problems(QUANTSCOPE_SOURCE_DIR "/../shared/data/HumanEval.jsonl.gz");
    if (problems)
        official_ = std::move(*problems);
}

void TestVerdictPool::cleanup() {
    QVERIFY2(no_children_left(), "a process was left behind");
}

void TestVerdictPool::killedOwnerLeavesNothing() {
    const pid_t owner = ::fork();
    QVERIFY(owner >= 0);
    if (owner == 0) {
        VerdictPool pool(*sandbox_, {.first_wall_limit = 60s});
        for (const char* body : {"    while True: pass\n", "    import time; time.sleep(60)\n"})
            pool.submit(problem, body, [](const Verdict&) {});
        pool.wait_idle();
        ::_exit(1);
    }
    std::this_thread::sleep_for(600ms); // both programs run
    QVERIFY(::kill(owner, SIGKILL) == 0);
    QVERIFY(no_children_left(3s)); // the owner's orphans are ours now
}

void TestVerdictPool::runOnAll(Collector& collector, const std::string& completion, std::size_t step) {
    VerdictPool pool(*sandbox_);
    for (std::size_t i = 0; i < official_.size(); i += step)
        pool.submit(official_[i], completion, collector.as(official_[i].task_id));
    QVERIFY(pool.wait_idle(100s));
}

void TestVerdictPool::canonicalSolutionsPass() {
    if (official_.empty())
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    Collector collector;
    VerdictPool pool(*sandbox_);
    for (const Problem& p : official_)
        pool.submit(p, p.canonical_solution, collector.as(p.task_id));
    QVERIFY(pool.wait_idle(100s));
    QVERIFY2(collector.count(VerdictKind::passed) == 164, collector.unlike(VerdictKind::passed).c_str());
}

void TestVerdictPool::returnNoneNeverPasses() {
    if (official_.empty())
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    Collector collector;
    runOnAll(collector, "    return None\n");
    QVERIFY2(collector.count(VerdictKind::failed) == 164, collector.unlike(VerdictKind::failed).c_str());
}

void TestVerdictPool::constantsNeverPass() {
    if (official_.empty())
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    // One program a problem tries all constants: its check() passes if no constant satisfies the official
    // check().
    Collector collector;
    VerdictPool pool(*sandbox_);
    for (Problem p : official_) {
        p.test += "\n_official = check\n"
                  "def check(candidate):\n"
                  "    _official(candidate)\n"
                  "    for value in (None, 0, 1, -1, 0.0, [], [0], {}, (), '', ' ', '0', True, False):\n"
                  "        try:\n"
                  "            _official(lambda *args, **named: value)\n"
                  "        except Exception:\n"
                  "            continue\n"
                  "        raise RuntimeError('passes as ' + repr(value))\n";
        pool.submit(p, p.canonical_solution, collector.as(p.task_id));
    }
    QVERIFY(pool.wait_idle(100s));
    QVERIFY2(collector.count(VerdictKind::passed) == 164, collector.unlike(VerdictKind::passed).c_str());
}

void TestVerdictPool::earlyExitsNeverPass() {
    if (official_.empty())
        QSKIP("HumanEval.jsonl.gz is not in ../shared/data");
    Collector exits;
    runOnAll(exits, "    import os\n    os._exit(0)\n", 4);
    QVERIFY2(exits.count(VerdictKind::error) == 41, exits.unlike(VerdictKind::error).c_str());
    Collector raises;
    runOnAll(raises, "    import sys\n    sys.exit(0)\n", 4);
    runOnAll(raises, "    raise SystemExit\n", 4);
    QVERIFY2(raises.count(VerdictKind::failed) == 82, raises.unlike(VerdictKind::failed).c_str());
}

void TestVerdictPool::timeoutsAreRerunAlone() {
    Collector collector;
    VerdictPool pool(*sandbox_, {.threads = 3, .first_wall_limit = 400ms, .rerun_wall_limit = 5s});
    for (int i = 0; i < 3; ++i) {
        const std::string body =
            "    import time; time.sleep(0.8)\n    return 1 # " + std::to_string(i) + "\n";
        pool.submit(problem, body, collector.as("slow"));
    }
    for (int i = 0; i < 6; ++i) {
        const std::string body =
            "    import time; time.sleep(0.05)\n    return 1 # " + std::to_string(i) + "\n";
        pool.submit(problem, body, collector.as("quick"));
    }
    QVERIFY(pool.wait_idle(60s));
    QVERIFY2(collector.count(VerdictKind::passed) == 9, collector.unlike(VerdictKind::passed).c_str());
    int reruns = 0;
    for (const Ended& rerun : collector.all()) {
        if (rerun.verdict.attempts != 2)
            continue;
        ++reruns;
        const auto begin = rerun.end - std::chrono::duration<double, std::milli>(rerun.verdict.wall_ms);
        for (const Ended& other : collector.all()) {
            const auto other_begin =
                other.end - std::chrono::duration<double, std::milli>(other.verdict.wall_ms);
            const bool overlap = other_begin < rerun.end - 50ms && begin < other.end - 50ms;
            QVERIFY2(&other == &rerun || !overlap, (rerun.name + " ran beside " + other.name).c_str());
        }
    }
    QVERIFY2(reruns >= 3, std::to_string(reruns).c_str());
}

void TestVerdictPool::persistentTimeoutsCount() {
    Collector collector;
    VerdictPool pool(*sandbox_, {.first_wall_limit = 300ms, .rerun_wall_limit = 600ms});
    pool.submit(problem, "    while True: pass\n", collector.as("loop"));
    QVERIFY(pool.wait_idle(60s));
    const Verdict& verdict = collector.all().front().verdict;
    QVERIFY2(verdict.kind == VerdictKind::timed_out, verdict.detail.c_str());
    QCOMPARE(verdict.detail, std::string("still running; limit of the sandbox: 0.6 s of wall time"));
    QCOMPARE(verdict.attempts, 2);
}

void TestVerdictPool::cancelEndsEverything() {
    Collector collector;
    VerdictPool pool(*sandbox_, {.first_wall_limit = 60s});
    for (int i = 0; i < 20; ++i)
        pool.submit(problem, "    while True: pass\n", collector.as("loop"));
    std::this_thread::sleep_for(200ms);
    QCOMPARE(pool.pending(), std::size_t{20});
    pool.cancel();
    pool.submit(problem, "    return 1\n", collector.as("after"));
    QVERIFY(pool.wait_idle(10s));
    QCOMPARE(pool.pending(), std::size_t{0});
    QCOMPARE(collector.count(VerdictKind::unscored), 20);
    QCOMPARE(collector.count(VerdictKind::passed), 1);
    for (const Ended& ended : collector.all())
        QVERIFY(ended.name == "after" || ended.verdict.detail == "cancelled");
}

void TestVerdictPool::destructionDeliversEverything() {
    Collector collector;
    {
        VerdictPool pool(*sandbox_, {.first_wall_limit = 60s});
        for (int i = 0; i < 10; ++i)
            pool.submit(problem, "    while True: pass\n", collector.as("loop"));
    }
    QCOMPARE(collector.count(VerdictKind::unscored), 10);
}

void TestVerdictPool::repeatsAreReused() {
    const std::string random = "    import os\n    raise ValueError(os.urandom(8).hex())\n";
    for (const bool reuse : {true, false}) {
        Collector collector;
        VerdictPool pool(*sandbox_, {.threads = 1, .reuse_verdicts = reuse});
        pool.submit(problem, random, collector.as("first"));
        pool.submit(problem, random, collector.as("second"));
        QVERIFY(pool.wait_idle(60s));
        QCOMPARE(collector.count(VerdictKind::failed), 2);
        QCOMPARE(collector.all()[0].verdict.detail == collector.all()[1].verdict.detail, reuse);
    }
}

void TestVerdictPool::failsClosed() {
    SandboxConfig config;
    config.bwrap = "/nowhere/bwrap";
    Collector collector;
    VerdictPool pool(Sandbox::open(config));
    pool.submit(problem, problem.canonical_solution, collector.as("right"));
    QVERIFY(pool.wait_idle(10s));
    QCOMPARE(collector.count(VerdictKind::unscored), 1);
    QVERIFY(collector.all().front().verdict.detail.starts_with("bubblewrap was not found at /nowhere/bwrap"));
}

QTEST_APPLESS_MAIN(TestVerdictPool)
#include "tst_verdict_pool.moc"
