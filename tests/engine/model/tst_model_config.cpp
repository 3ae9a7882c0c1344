// SPDX-License-Identifier: Apache-2.0
#include "engine/model/config.h"
#include "model_files.h"

#include <map>

#include <nlohmann/json.hpp>

using namespace quantscope;
using namespace quantscope::test;
using nlohmann::json;

namespace {

/// A valid config.json's keys; a test merges its changes into it (RFC 7396: null removes a key).
json valid() {
    return json::parse(R"({"architectures": ["LlamaForCausalLM"], "hidden_size": 64, "intermediate_size": 96,
        "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 128,
        "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": false})");
}

Expected<ModelConfig> parse(const json& document) {
    return parse_model_config(document.dump(), "/models/tiny");
}

Expected<ModelConfig> parse_changed(const char* patch) {
    json document = valid();
    document.merge_patch(json::parse(patch));
    return parse(document);
}

/// Sets a key to null, which a merge patch cannot.
Expected<ModelConfig> parse_with_null(const char* patch, const char* key) {
    json document = valid();
    document.merge_patch(json::parse(patch));
    document[key] = nullptr;
    return parse(document);
}

} // namespace

class TestModelConfig : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void reads_every_fixture() {
        int count = 0;
        for (const auto& folder : fs::directory_iterator(fixture(""))) {
            if (fs::exists(folder.path() / "config.json")) {
                const auto config = read_model_config(folder.path());
                QVERIFY2(config, told(config).c_str());
                QCOMPARE(config->name, folder.path().filename().string());
                ++count;
            }
        }
        QVERIFY(count >= 11);
    }

    void plain() {
        const auto config = parse(valid());
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(config->name, std::string("tiny"));
        QCOMPARE(config->architecture, std::string("LlamaForCausalLM"));
        QCOMPARE(config->hidden_size, 64);
        QCOMPARE(config->intermediate_size, 96);
        QCOMPARE(config->num_hidden_layers, 2);
        QCOMPARE(config->num_attention_heads, 4);
        QCOMPARE(config->num_key_value_heads, 2);
        QCOMPARE(config->head_dim, 16);
        QCOMPARE(config->vocab_size, 128);
        QCOMPARE(config->max_position_embeddings, 64);
        QCOMPARE(config->rms_norm_eps, 1e-5);
        QCOMPARE(config->rope_theta, 10000.0);
        QVERIFY(config->rope_scaling.kind == RopeScaling::Kind::none);
        QVERIFY(!config->tie_word_embeddings);
        QCOMPARE(config->bos_token_id, 1);
        QCOMPARE(config->eos_token_ids, std::vector<int>{2});
        QVERIFY(config->notices.empty());
    }

    void missing_keys_mean_what_transformers_assumes() {
        const auto config =
            parse_changed(R"({"num_key_value_heads": null, "rms_norm_eps": null, "rope_theta": null,
            "hidden_act": null, "bos_token_id": null, "eos_token_id": null, "tie_word_embeddings": null,
            "max_position_embeddings": null, "architectures": null, "model_type": "llama"})");
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(config->num_key_value_heads, 4);
        QCOMPARE(config->rms_norm_eps, 1e-6);
        QCOMPARE(config->rope_theta, 10000.0);
        QCOMPARE(config->max_position_embeddings, 2048);
        QCOMPARE(config->bos_token_id, -1);
        QVERIFY(config->eos_token_ids.empty()); // the tokenizer's
    }

    void null_ids_mean_none() {
        QCOMPARE(parse_with_null("{}", "bos_token_id")->bos_token_id, -1);
        const auto config = parse_with_null("{}", "eos_token_id");
        QVERIFY(config->eos_token_ids.empty());
    }

    void the_older_spelling() {
        const auto config = parse_changed(R"({"architectures": ["LLaMAForCausalLM"]})");
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(config->architecture, std::string("LlamaForCausalLM"));
    }

    void the_name_is_the_repositorys_data() {
        QTest::addColumn<QByteArray>("folder");
        QTest::addColumn<QByteArray>("name");
        QTest::newRow("plain") << QByteArray("/models/tiny/") << QByteArray("tiny");
        QTest::newRow("snapshot") << QByteArray(
                                         "/hub/models--codellama--CodeLlama-7b-hf/snapshots/6c284d1468")
                                  << QByteArray("codellama/CodeLlama-7b-hf");
        QTest::newRow("repository") << QByteArray("/hub/models--a--b--c") << QByteArray("a/b--c");
        QTest::newRow("no organisation")
            << QByteArray("/hub/models--gpt2/snapshots/1/") << QByteArray("gpt2");
        QTest::newRow("no cache") << QByteArray("/work/snapshots/6c284d1468") << QByteArray("6c284d1468");
    }
    void the_name_is_the_repositorys() {
        QFETCH(QByteArray, folder);
        QFETCH(QByteArray, name);
        QCOMPARE(parse_model_config(valid().dump(), folder.toStdString())->name, name.toStdString());
    }

    void several_eos_ids() {
        const auto config = parse_changed(R"({"eos_token_id": [7, 5, 127]})");
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(config->eos_token_ids, (std::vector<int>{7, 5, 127}));
    }

    void generation_config_wins_data() {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QList<int>>("ids");
        QTest::newRow("list") << QByteArray(R"({"eos_token_id": [0, 7]})") << QList<int>{0, 7};
        QTest::newRow("one") << QByteArray(R"({"eos_token_id": 7})") << QList<int>{7};
        QTest::newRow("null") << QByteArray(R"({"eos_token_id": null})") << QList<int>{2};
        QTest::newRow("none") << QByteArray(R"({"do_sample": true})") << QList<int>{2};
    }
    void generation_config_wins() {
        QFETCH(QByteArray, text);
        QFETCH(QList<int>, ids);
        const ScratchFolder folder;
        write_file(folder / "config.json", valid().dump());
        write_file(folder / "generation_config.json", text.toStdString());
        const auto config = read_model_config(folder.path());
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(QList<int>(config->eos_token_ids.begin(), config->eos_token_ids.end()), ids);
        QVERIFY(config->notices.empty());
    }

    void generation_config_that_is_wrong_or_more_than_is_done() {
        const ScratchFolder folder;
        write_file(folder / "config.json", valid().dump());
        const auto read = [&](const char* text) {
            write_file(folder / "generation_config.json", text);
            return read_model_config(folder.path());
        };
        QUANTSCOPE_REFUSED(read("["), ErrorCode::bad_input, "generation_config.json: expected JSON");
        QUANTSCOPE_REFUSED(read(R"({"eos_token_id": [128]})"), ErrorCode::bad_input,
                           "'eos_token_id': expected token ids from 0 to 127, found 128.");
        for (const char* text : {R"({"repetition_penalty": 1.1})", R"({"suppress_tokens": [3]})"}) {
            const auto config = read(text);
            QVERIFY2(config, told(config).c_str());
            QCOMPARE(config->notices.size(), std::size_t{1});
            QVERIFY(config->notices.front().find("is not applied") != std::string::npos);
        }
        QVERIFY(read(R"({"repetition_penalty": 1.0, "suppress_tokens": []})")->notices.empty());
    }

    /// What transformers builds for each architecture.
    void biases_and_norms() {
        const auto llama = parse_changed(R"({"attention_bias": true})");
        QVERIFY(llama && llama->qkv_bias && llama->o_bias && !llama->mlp_bias && !llama->qk_norm);
        const auto mlp = parse_changed(R"({"mlp_bias": true})");
        QVERIFY(mlp && !mlp->qkv_bias && !mlp->o_bias && mlp->mlp_bias);
        const auto mistral = parse_changed(
            R"({"architectures": ["MistralForCausalLM"], "attention_bias": true, "mlp_bias": true})");
        QVERIFY(mistral && !mistral->qkv_bias && !mistral->o_bias && !mistral->mlp_bias);
        const auto qwen2 = parse_changed(R"({"architectures": ["Qwen2ForCausalLM"]})");
        QVERIFY(qwen2 && qwen2->qkv_bias && !qwen2->o_bias && !qwen2->qk_norm);
        const auto qwen3 = parse_changed(R"({"architectures": null, "model_type": "qwen3"})");
        QVERIFY(qwen3 && !qwen3->qkv_bias && qwen3->qk_norm);
        QCOMPARE(qwen3->head_dim, 128); // transformers' default, not hidden_size / heads
    }

    /// Qwen's windows count only where they are switched on and a layer is left for them.
    void switched_windows() {
        const char* const off = R"({"architectures": ["Qwen2ForCausalLM"], "sliding_window": 32})";
        QVERIFY(parse_changed(off));
        QVERIFY(parse_changed(
            R"({"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": true, "sliding_window": 32})"));
        const auto some = parse_changed(R"({"architectures": ["Qwen2ForCausalLM"], "use_sliding_window": true,
            "sliding_window": 32, "max_window_layers": 1})");
        QVERIFY2(some, told(some).c_str());
        QCOMPARE(some->max_position_embeddings, 32);
    }

    void yarn() {
        const auto config =
            parse_changed(R"({"rope_theta": 1e6, "rope_scaling": {"type": "yarn", "factor": 4.0,
            "original_max_position_embeddings": 32}})");
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(static_cast<int>(config->rope_scaling.kind), static_cast<int>(RopeScaling::Kind::yarn));
        QCOMPARE(config->rope_scaling.original_max_position_embeddings, 32);
        QCOMPARE(config->rope_scaling.attention_factor, 0.1 * std::log(4.0) + 1.0);
        const auto weighed = parse_changed(
            R"({"rope_scaling": {"type": "yarn", "factor": 40, "mscale": 0.707, "mscale_all_dim": 0.707}})");
        QVERIFY2(weighed, told(weighed).c_str());
        QCOMPARE(weighed->rope_scaling.attention_factor, 1.0);
    }

    void head_dim_of_its_own() {
        QCOMPARE(parse_changed(R"({"head_dim": 32})")->head_dim, 32);
        // Mistral-Nemo's case: the heads need not divide the hidden size then.
        QCOMPARE(parse_changed(R"({"hidden_size": 66, "head_dim": 32})")->head_dim, 32);
    }

    void rope_data() {
        QTest::addColumn<QByteArray>("patch");
        QTest::addColumn<int>("kind");
        QTest::addColumn<double>("factor");
        QTest::addColumn<double>("theta");
        constexpr int none = static_cast<int>(RopeScaling::Kind::none);
        constexpr int linear = static_cast<int>(RopeScaling::Kind::linear);
        constexpr int llama3 = static_cast<int>(RopeScaling::Kind::llama3);
        QTest::newRow("Code Llama") << QByteArray(R"({"rope_theta": 1000000})") << none << 1.0 << 1e6;
        QTest::newRow("type") << QByteArray(R"({"rope_scaling": {"type": "linear", "factor": 4}})") << linear
                              << 4.0 << 1e4;
        QTest::newRow("rope_type")
            << QByteArray(R"({"rope_scaling": {"rope_type": "linear", "factor": 2.5}, "rope_theta": 5e5})")
            << linear << 2.5 << 5e5;
        QTest::newRow("both words")
            << QByteArray(R"({"rope_scaling": {"rope_type": "linear", "type": "yarn", "factor": 2}})")
            << linear << 2.0 << 1e4;
        QTest::newRow("llama3")
            << QByteArray(R"({"rope_theta": 500000.0, "rope_scaling": {"factor": 8.0, "low_freq_factor": 1.0,
            "high_freq_factor": 4.0, "original_max_position_embeddings": 32, "rope_type": "llama3"}})")
            << llama3 << 8.0 << 5e5;
        QTest::newRow("transformers 5, llama3")
            << QByteArray(R"({"rope_theta": null, "rope_parameters": {"factor": 8.0,
            "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32,
            "rope_theta": 500000.0, "rope_type": "llama3"}})")
            << llama3 << 8.0 << 5e5;
        QTest::newRow("transformers 5, default") << QByteArray(R"({"rope_theta": null,
            "rope_parameters": {"rope_theta": 20000.0, "rope_type": "default"}})")
                                                 << none << 1.0 << 2e4;
        QTest::newRow("empty object")
            << QByteArray(R"({"rope_scaling": {}, "rope_parameters": {"rope_theta": 3e4}})") << none << 1.0
            << 3e4;
        QTest::newRow("both objects") << QByteArray(R"({"rope_scaling": {"rope_type": "linear", "factor": 3},
            "rope_parameters": {"rope_theta": 3e4, "rope_type": "default"}})")
                                      << linear << 3.0 << 1e4;
    }
    void rope() {
        QFETCH(QByteArray, patch);
        QFETCH(int, kind);
        QFETCH(double, factor);
        QFETCH(double, theta);
        const auto config = parse_changed(patch.constData());
        QVERIFY2(config, told(config).c_str());
        QCOMPARE(static_cast<int>(config->rope_scaling.kind), kind);
        QCOMPARE(config->rope_scaling.factor, factor);
        QCOMPARE(config->rope_theta, theta);
        if (config->rope_scaling.kind == RopeScaling::Kind::llama3) {
            QCOMPARE(config->rope_scaling.low_freq_factor, 1.0);
            QCOMPARE(config->rope_scaling.high_freq_factor, 4.0);
            QCOMPARE(config->rope_scaling.original_max_position_embeddings, 32);
        }
    }

    void mistral() {
        const char* const mistral =
            R"({"architectures": ["MistralForCausalLM"], "max_position_embeddings": 4096})";
        QCOMPARE(parse_with_null(mistral, "sliding_window")->architecture, std::string("MistralForCausalLM"));
        QVERIFY(parse_changed(mistral)); // transformers' window of 4096 covers every position
        QVERIFY(parse_changed(R"({"architectures": ["MistralForCausalLM"], "sliding_window": 64})"));
        for (const auto& [patch, window] : std::map<std::string, int>{
                 {R"({"architectures": ["MistralForCausalLM"], "sliding_window": 63})", 63},
                 {R"({"architectures": ["MistralForCausalLM"], "max_position_embeddings": 32768})", 4096}}) {
            const auto config = parse_changed(patch.c_str());
            QVERIFY2(config, told(config).c_str());
            QCOMPARE(config->max_position_embeddings, window);
            QCOMPARE(config->notices.size(), std::size_t{1});
            QVERIFY(config->notices.front().find("attention sees the last " + std::to_string(window) +
                                                 " tokens ('sliding_window')") != std::string::npos);
        }
        QVERIFY(parse_changed(R"({"sliding_window": 7})")); // means nothing to Llama
    }

    void refused_data() {
        QTest::addColumn<QByteArray>("patch");
        QTest::addColumn<bool>("unsupported");
        QTest::addColumn<QString>("sentence");
        const auto bad = [](const char* name, const char* patch, const char* sentence) {
            QTest::newRow(name) << QByteArray(patch) << false << QString::fromUtf8(sentence);
        };
        const auto unsupported = [](const char* name, const char* patch, const char* sentence) {
            QTest::newRow(name) << QByteArray(patch) << true << QString::fromUtf8(sentence);
        };
        unsupported("other architecture", R"({"architectures": ["GPT2LMHeadModel"]})",
                    "found \"GPT2LMHeadModel\" (LayerNorm, GELU and other positions than RoPE's).");
        unsupported(
            "mixture of experts", R"({"architectures": ["Qwen3MoeForCausalLM"]})",
            "Qwen2ForCausalLM or Qwen3ForCausalLM, found \"Qwen3MoeForCausalLM\" (a mixture of experts).");
        unsupported(
            "latent attention", R"({"architectures": ["DeepseekV3ForCausalLM"]})",
            "found \"DeepseekV3ForCausalLM\" (multi-head latent attention and a mixture of experts).");
        unsupported(
            "vision", R"({"architectures": ["Qwen2VLForConditionalGeneration"]})",
            "found \"Qwen2VLForConditionalGeneration\" (a model of images, sound or two halves beside");
        unsupported("other model type", R"({"architectures": null, "model_type": "bert"})",
                    "found model type \"bert\".");
        unsupported("no architecture", R"({"architectures": null})",
                    "'architectures': expected LlamaForCausalLM, MistralForCausalLM,");
        unsupported("architecture no string", R"({"architectures": [3]})",
                    "'architectures': expected LlamaForCausalLM, MistralForCausalLM,");
        unsupported("activation", R"({"hidden_act": "gelu"})",
                    "'hidden_act': expected \"silu\", found \"gelu\".");
        bad("bias as text", R"({"attention_bias": "yes"})",
            "'attention_bias': expected true or false, found \"yes\".");
        unsupported("quantized", R"({"quantization_config": {"quant_method": "gptq"}})",
                    "'quantization_config': expected none");
        unsupported("partial rotary", R"({"partial_rotary_factor": 0.5})",
                    "'partial_rotary_factor': expected 1, found 0.5.");
        unsupported("partial rotary, new", R"({"rope_parameters": {"partial_rotary_factor": 0.5}})",
                    "'rope_parameters.partial_rotary_factor': expected 1, found 0.5.");
        unsupported("longrope", R"({"rope_scaling": {"type": "longrope", "factor": 2}})",
                    "'rope_scaling.type': expected \"default\", \"linear\", \"dynamic\", \"yarn\" or "
                    "\"llama3\", found "
                    "\"longrope\".");
        bad("yarn, factor", R"({"rope_scaling": {"type": "yarn", "factor": "2"}})",
            "'rope_scaling.factor': expected a number from 1 to 1000000, found \"2\".");
        bad("dynamic without factor", R"({"rope_parameters": {"rope_type": "dynamic"}})",
            "'rope_parameters.factor': expected a number from 1 to 1000000, found nothing.");
        bad("no hidden size", R"({"hidden_size": null})",
            "'hidden_size': expected an integer from 1 to 4194304, found nothing.");
        bad("zero", R"({"hidden_size": 0})",
            "'hidden_size': expected an integer from 1 to 4194304, found 0.");
        bad("negative", R"({"num_hidden_layers": -2})",
            "'num_hidden_layers': expected an integer from 1 to 4096, found -2.");
        bad("huge", R"({"intermediate_size": 18446744073709551615})",
            "from 1 to 4194304, found 18446744073709551615.");
        bad("huge negative", R"({"intermediate_size": -9223372036854775808})", "found -9223372036854775808.");
        bad("fraction", R"({"vocab_size": 128.5})",
            "'vocab_size': expected an integer from 1 to 4194304, found 128.5.");
        bad("number as text", R"({"vocab_size": "128"})",
            "'vocab_size': expected an integer from 1 to 4194304, found \"128\".");
        bad("heads", R"({"num_attention_heads": 5, "num_key_value_heads": 5})",
            "'num_attention_heads': expected a divisor of hidden_size (64), as there is no head_dim, found "
            "5.");
        bad("kv heads", R"({"num_key_value_heads": 3})",
            "'num_key_value_heads': expected a divisor of num_attention_heads (4), found 3.");
        bad("more kv heads than heads", R"({"num_key_value_heads": 8})",
            "expected a divisor of num_attention_heads (4), found 8.");
        bad("odd head_dim", R"({"head_dim": 15})",
            "'head_dim': expected an even number (RoPE turns pairs), found 15.");
        bad("huge head_dim", R"({"head_dim": 100000})",
            "'head_dim': expected an integer from 1 to 4096, found 100000.");
        bad("positions", R"({"max_position_embeddings": 0})",
            "'max_position_embeddings': expected an integer from 1 to");
        bad("eps", R"({"rms_norm_eps": -1e-5})",
            "'rms_norm_eps': expected a number from 0 to 1, found -1e-05.");
        bad("theta", R"({"rope_theta": 0})",
            "'rope_theta': expected a number from 0.001 to 1000000000000, found 0.");
        bad("theta no number", R"({"rope_theta": "big"})",
            "'rope_theta': expected a number from 0.001 to 1000000000000, found \"big\".");
        bad("tie", R"({"tie_word_embeddings": "no"})",
            "'tie_word_embeddings': expected true or false, found \"no\".");
        bad("act", R"({"hidden_act": 3})", "'hidden_act': expected a string, found 3.");
        bad("bos", R"({"bos_token_id": 128})",
            "'bos_token_id': expected an integer from -1 to 127, found 128.");
        bad("eos", R"({"eos_token_id": 128})",
            "'eos_token_id': expected an integer from -1 to 127, found 128.");
        bad("eos in list", R"({"eos_token_id": [2, 128]})",
            "'eos_token_id': expected token ids from 0 to 127, found 128.");
        bad("eos list of text", R"({"eos_token_id": ["</s>"]})",
            "'eos_token_id': expected token ids from 0 to 127, found \"</s>\".");
        bad("scaling no object", R"({"rope_scaling": "linear"})",
            "'rope_scaling': expected an object or null, found \"linear\".");
        bad("no factor", R"({"rope_scaling": {"type": "linear"}})",
            "'rope_scaling.factor': expected a number from 1 to 1000000, found nothing.");
        bad("factor", R"({"rope_scaling": {"type": "linear", "factor": 0}})",
            "'rope_scaling.factor': expected a number from 1 to 1000000, found 0.");
        bad("llama3 order", R"({"rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4,
            "high_freq_factor": 4, "original_max_position_embeddings": 32}})",
            "'rope_parameters.high_freq_factor': expected a number above low_freq_factor (4), found 4.");
        bad("llama3 positions",
            R"({"rope_parameters": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 1,
            "high_freq_factor": 4, "original_max_position_embeddings": 0}})",
            "'rope_parameters.original_max_position_embeddings': expected an integer from 1 to");
        bad("long text is shortened",
            R"({"vocab_size": "012345678901234567890123456789012345678901234567890123456789more"})",
            "45678….");
    }
    void refused() {
        QFETCH(QByteArray, patch);
        QFETCH(bool, unsupported);
        QFETCH(QString, sentence);
        const auto config = parse_changed(patch.constData());
        QVERIFY2(!config, "accepted");
        const std::string message = config.error().message;
        QVERIFY2(message.find(sentence.toStdString()) != std::string::npos, message.c_str());
        QVERIFY2(message.starts_with("/models/tiny/config.json: "), message.c_str());
        QVERIFY(!config.error().hint.empty());
        QCOMPARE(to_string(config.error().code),
                 to_string(unsupported ? ErrorCode::unsupported : ErrorCode::bad_input));
    }

    void broken_files() {
        const ScratchFolder folder;
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::bad_input,
                           "config.json: cannot be opened: No such file");
        QUANTSCOPE_REFUSED(read_model_config(folder / "nowhere"), ErrorCode::bad_input,
                           "nowhere/config.json: cannot be opened");
        write_file(folder / "config.json", "");
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::bad_input,
                           "config.json: expected JSON, but it is not valid JSON");
        write_file(folder / "config.json", valid().dump(1).substr(0, 100));
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::bad_input,
                           "it is not valid JSON (line 7, column");
        write_file(folder / "config.json", "[]");
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::bad_input,
                           "found a list of 0 values.");
        write_file(folder / "config.json", std::string((16U << 20U) + 1, ' '));
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::bad_input,
                           "expected at most 16777216 bytes, found 16777217.");
        fs::remove(folder / "config.json");
        fs::create_directory(folder / "config.json");
        QUANTSCOPE_REFUSED(read_model_config(folder.path()), ErrorCode::io,
                           "config.json: expected a file, found a directory.");
    }
};

QTEST_APPLESS_MAIN(TestModelConfig)
#include "tst_model_config.moc"
