// SPDX-License-Identifier: Apache-2.0
#include "engine/protocol/event_stream.h"
#include "engine/telemetry/nvml.h"
#include "engine/worker/random_checkpoint.h"
#include "engine/worker/run_telemetry.h"
#include "tests/engine/telemetry/fake_nvml.h"

#include <QtTest>
#include <dlfcn.h>
#include <unistd.h>

using namespace quantscope;
using namespace std::chrono_literals;
using telemetry::DeviceReading;
using telemetry::EnergyMeter;
using telemetry::Nvml;

constexpr auto bus = "0000:1B:00.0";

/// Power, clocks, temperature and energy: from a fake NVML to the worker's events.
class TestTelemetry : public QObject {
    Q_OBJECT

    void* library_ = nullptr;
    FakeNvml* fake_ = nullptr;

  private Q_SLOTS:
    void initTestCase() {
        library_ = dlopen(FAKE_NVML, RTLD_NOW);
        QVERIFY2(library_ != nullptr, FAKE_NVML);
        fake_ = static_cast<FakeNvml*>(dlsym(library_, "fake_nvml"));
        QVERIFY(fake_ != nullptr);
    }
    void init() { *fake_ = FakeNvml(); }
    void cleanup() { QCOMPARE(fake_->running, 0); } // every start was shut down
    void cleanupTestCase() { dlclose(library_); }

    void readsEveryFigureInItsUnit();
    void figureThatFailsIsAbsent();
    void absenceAndErrorsAreSaid();
    void energyIsTheCountersElseIntegrated();
    void runSendsEventsWhileItLives();
    void energyOfRounds();
};

void TestTelemetry::readsEveryFigureInItsUnit() {
    const auto nvml = Nvml::open(bus, FAKE_NVML);
    QVERIFY(nvml);
    const DeviceReading reading = (*nvml)->read();
    QCOMPARE(*reading.power_w, 250.0);
    QCOMPARE(*reading.sm_clock_mhz, 1980.0);
    QCOMPARE(*reading.memory_clock_mhz, 3201.0);
    QCOMPARE(*reading.temperature_c, 41.0);
    QCOMPARE(*reading.energy_j, 7000.0);
}

void TestTelemetry::figureThatFailsIsAbsent() {
    const auto nvml = Nvml::open(bus, FAKE_NVML);
    QVERIFY(nvml);
    fake_->energy_result = 3;
    fake_->power_result = 15; // the GPU is lost
    const DeviceReading reading = (*nvml)->read();
    QVERIFY(!reading.power_w && !reading.energy_j);
    QVERIFY(reading.sm_clock_mhz && reading.temperature_c);
}

void TestTelemetry::absenceAndErrorsAreSaid() {
    const auto says = [](const auto& opened, const char* words) {
        return !opened && opened.error().code == ErrorCode::unsupported &&
               opened.error().message.find(words) != std::string::npos;
    };
    QVERIFY(says(Nvml::open(bus, "/nowhere/libnvidia-ml.so.1"), "not on this machine"));
    QVERIFY(says(Nvml::open(bus, BROKEN_NVML), "lacks a function"));
    QVERIFY(says(Nvml::open("0000:00:00.0", FAKE_NVML), "does not know the device 0000:00:00.0: Not Found"));
    fake_->init_result = 9;
    QVERIFY(says(Nvml::open(bus, FAKE_NVML), "Driver Not Loaded"));
}

void TestTelemetry::energyIsTheCountersElseIntegrated() {
    const EnergyMeter::Clock::time_point start{};
    EnergyMeter counted;
    DeviceReading reading;
    reading.power_w = 100.0;
    reading.energy_j = 50.0;
    counted.add(reading, start);
    QVERIFY(!counted.joules());
    reading.energy_j = 650.0;
    counted.add(reading, start + 2s);
    QCOMPARE(*counted.joules(), 600.0);
    QCOMPARE(*counted.mean().power_w, 300.0); // what was taken, not what two moments showed

    EnergyMeter integrated;
    reading.energy_j.reset();
    integrated.add(reading, start);
    reading.power_w = 200.0;
    integrated.add(reading, start + 1s);
    integrated.add(reading, start + 3s);
    QCOMPARE(*integrated.joules(), 150.0 + 400.0);
    QCOMPARE(integrated.seconds(), 3.0);
    integrated.add(DeviceReading(), start + 4s); // a hole
    integrated.add(reading, start + 5s);
    QVERIFY(!integrated.joules());
}

void TestTelemetry::runSendsEventsWhileItLives() {
    const auto nvml = Nvml::open(bus, FAKE_NVML);
    QVERIFY(nvml);
    fake_->energy_step_mj = 2'000;
    int ends[2];
    QCOMPARE(pipe(ends), 0);
    worker::EventWriter writer(ends[1]);
    writer.send(protocol::HelloEvent{});
    {
        worker::RunTelemetry silent(writer, {}, 1ms);
        QVERIFY(!silent.joules());
        worker::RunTelemetry run(
            writer, [&] { return (*nvml)->read(); }, 20ms);
        QTest::qSleep(110);
        QVERIFY(!run.joules()); // too short to tell
        const auto joules = run.joules(0.05);
        QVERIFY(joules && *joules >= 2.0);
    }
    close(ends[1]);
    protocol::EventStream stream;
    char buffer[65536];
    const ssize_t size = read(ends[0], buffer, sizeof buffer);
    close(ends[0]);
    QVERIFY(size > 0);
    std::vector<protocol::TelemetryEvent> events;
    stream.feed(std::string_view(buffer, static_cast<std::size_t>(size)));
    while (const auto event = stream.next()) {
        QVERIFY(event->has_value());
        if (const auto* telemetry = std::get_if<protocol::TelemetryEvent>(&(*event)->body)) {
            events.push_back(*telemetry);
        }
    }
    QVERIFY(events.size() >= 3); // at the start, at least one by the clock, at the end
    QCOMPARE(events.front().values.at("power_w"), 250.0);
    QCOMPARE(events.front().values.count("energy_j"), std::size_t{0});
    QCOMPARE(events.back().values.at("energy_j"), 2.0 * static_cast<double>(events.size() - 1));
    QCOMPARE(events.back().values.at("sm_clock_mhz"), 1980.0);
}

void TestTelemetry::energyOfRounds() {
    const auto backend = make_backend("cpu");
    const auto checkpoint = worker::random_checkpoint("tiny");
    QVERIFY(backend && checkpoint);
    auto session = (*backend)->create(**checkpoint, *find_scheme("int8"), {2, 16});
    QVERIFY(session);
    LatencyPlan plan;
    plan.batch_size = 2;
    plan.prompt_tokens = 4;
    plan.output_tokens = 5;
    QVERIFY(!*worker::measure_energy(**session, plan, {}));
    const auto nvml = Nvml::open(bus, FAKE_NVML);
    QVERIFY(nvml);
    fake_->energy_step_mj = 30'000;
    const auto figures = worker::measure_energy(
        **session, plan, [&] { return (*nvml)->read(); }, 0.0);
    QVERIFY(figures && *figures);
    QCOMPARE((*figures)->joules_per_token, 3.0); // one round of 10 tokens
    QCOMPARE(*(*figures)->mean.temperature_c, 41.0);
}

QTEST_GUILESS_MAIN(TestTelemetry)
#include "tst_telemetry.moc"
