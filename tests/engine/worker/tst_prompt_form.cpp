// SPDX-License-Identifier: Apache-2.0
#include "engine/worker/prompt_form.h"

#include <QtTest>

using namespace quantscope;
using namespace quantscope::worker;

/// Which form of a prompt ends where a token ends depends on the tokenizer's pattern.
class TestPromptForm : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void boundaries_data() {
        QTest::addColumn<QString>("tokenizer");
        QTest::addColumn<int>("raw");
        QTest::addColumn<int>("stripped");
        // GPT-2's pattern joins the newline and the indentation behind it. Those of Llama 3 and Qwen2 end a
        // word behind a newline; these small vocabularies have no token of closing quotes and newline.
        QTest::newRow("gpt2") << "gpt2" << 0 << 1;
        QTest::newRow("smollm") << "smollm" << 0 << 1;
        QTest::newRow("llama3") << "llama3" << 1 << 1;
        QTest::newRow("qwen2") << "qwen2" << 1 << 1;
        QTest::newRow("llama") << "llama" << 1 << 1;
    }
    void boundaries() {
        QFETCH(QString, tokenizer);
        QFETCH(int, raw);
        QFETCH(int, stripped);
        const auto opened = Tokenizer::open(
            (QStringLiteral(QUANTSCOPE_SOURCE_DIR "/tests/fixtures/tokenizers/") + tokenizer).toStdString());
        QVERIFY2(opened, opened ? "" : opened.error().message.c_str());
        const auto problems = eval::read_problems(QUANTSCOPE_SOURCE_DIR "/resources/demo/problems.jsonl");
        QVERIFY(problems);
        const auto found = count_boundaries(**opened, *problems);
        QVERIFY(found);
        const auto all = static_cast<int>(problems->size());
        QCOMPARE(found->problems, all);
        QCOMPARE(found->raw, raw * all);
        QCOMPARE(found->stripped, stripped * all);
        QCOMPARE(is_stripped("auto", *found), stripped > raw);
    }

    void aGivenFormIsTaken() {
        const PromptBoundaries better_raw{10, 10, 0};
        QVERIFY(is_stripped("stripped", better_raw));
        QVERIFY(!is_stripped("auto", better_raw));
        QVERIFY(!is_stripped("raw", {10, 0, 10}));
        QVERIFY(is_stripped("auto", {10, 0, 10}));
        QVERIFY(!is_stripped("auto", {10, 4, 4}));
    }

    void completionFollowsTheRawPrompt() {
        const std::string prompt = "def f():\n    \"\"\"Text.\"\"\"\n";
        QCOMPARE(std::string(stripped(prompt)), prompt.substr(0, prompt.size() - 1));
        QCOMPARE(std::string(stripped(" \n")), std::string(" \n"));
        QCOMPARE(behind_raw_prompt(prompt, "\n    return 1\n"), std::string("    return 1\n"));
        QCOMPARE(behind_raw_prompt(prompt, "  # so\n"), std::string("  # so\n"));
    }
};

QTEST_APPLESS_MAIN(TestPromptForm)
#include "tst_prompt_form.moc"
