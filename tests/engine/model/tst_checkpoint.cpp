// SPDX-License-Identifier: Apache-2.0
#include "engine/model/checkpoint.h"
#include "engine/model/model_hash.h"
#include "engine/model/tokenizer.h"
#include "model_files.h"

#include <array>
#include <functional>
#include <map>

#include <nlohmann/json.hpp>

using namespace quantscope;
using namespace quantscope::test;
using nlohmann::json;

namespace {

struct RawTensor {
    std::string dtype;
    json shape;
    std::string data;
};

/// A safetensors file taken apart, to be put together again with a fault in it.
class SafetensorsEditor {
  public:
    explicit SafetensorsEditor(const fs::path& path) : path_(path) {
        const std::string bytes = read_file(path);
        std::uint64_t length = 0;
        std::memcpy(&length, bytes.data(), sizeof(length));
        const json header = json::parse(bytes.substr(8, length));
        for (const auto& [name, entry] : header.items()) {
            if (name != "__metadata__") {
                const auto begin = entry["data_offsets"][0].get<std::size_t>();
                const auto end = entry["data_offsets"][1].get<std::size_t>();
                tensors[name] = {entry["dtype"], entry["shape"],
                                 bytes.substr(8 + length + begin, end - begin)};
            }
        }
    }
    void save() const {
        json header = json::object();
        std::string data;
        for (const auto& [name, tensor] : tensors) {
            header[name] = {{"dtype", tensor.dtype},
                            {"shape", tensor.shape},
                            {"data_offsets", {data.size(), data.size() + tensor.data.size()}}};
            data += tensor.data;
        }
        write_file(path_, safetensors_bytes(header.dump(), data));
    }

    std::map<std::string, RawTensor> tensors;

  private:
    fs::path path_;
};

/// Edits the weights of a copied fixture.
void edit(const ScratchFolder& folder, const std::function<void(std::map<std::string, RawTensor>&)>& change,
          const std::string& file = "model.safetensors") {
    SafetensorsEditor editor(folder / file);
    change(editor.tensors);
    editor.save();
}

void edit_config(const ScratchFolder& folder, const char* patch) {
    json config = json::parse(read_file(folder / "config.json"));
    config.merge_patch(json::parse(patch));
    write_file(folder / "config.json", config.dump());
}

std::string hash_of(const ScratchFolder& folder) {
    const auto checkpoint = Checkpoint::open(folder.path());
    return checkpoint ? (*checkpoint)->hash() : told(checkpoint);
}

const char* const q_proj = "model.layers.1.self_attn.q_proj.weight";

} // namespace

class TestCheckpoint : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void opens_every_fixture() {
        int count = 0;
        for (const auto& folder : fs::directory_iterator(fixture(""))) {
            if (fs::exists(folder.path() / "config.json")) {
                const auto checkpoint = Checkpoint::open(folder.path());
                QVERIFY2(checkpoint, told(checkpoint).c_str());
                QCOMPARE((*checkpoint)->hash().size(), std::size_t{32});
                QCOMPARE((*checkpoint)->folder(), folder.path());
                ++count;
            }
        }
        QVERIFY(count >= 11);
    }

    void parameters_are_counted() {
        constexpr std::int64_t layer = 4 * 64 * 64 + 3 * 96 * 64 + 2 * 64;
        QCOMPARE((*Checkpoint::open(fixture("mha")))->parameter_count(), 2 * 128 * 64 + 64 + 2 * layer);
        constexpr std::int64_t gqa_layer = layer - 2 * 32 * 64;
        for (const char* name : {"gqa", "sharded"}) {
            QCOMPARE((*Checkpoint::open(fixture(name)))->parameter_count(),
                     2 * 128 * 64 + 64 + 2 * gqa_layer);
        }
        constexpr std::int64_t one_kv_head = layer - 2 * 48 * 64;
        QCOMPARE((*Checkpoint::open(fixture("tied")))->parameter_count(), 128 * 64 + 64 + 2 * one_kv_head);
        constexpr std::int64_t wide_heads = (2 * 128 + 2 * 64) * 64 + 3 * 96 * 64 + 2 * 64;
        QCOMPARE((*Checkpoint::open(fixture("head-dim")))->parameter_count(), 2 * 128 * 64 + 64 + wide_heads);
    }

    void a_tensor_is_what_the_file_holds() {
        const auto checkpoint = *Checkpoint::open(fixture("bf16"));
        const SafetensorsEditor raw(fixture("bf16") / "model.safetensors");
        const std::array<std::int64_t, 2> shape = {64, 64};
        const auto tensor = checkpoint->tensor(q_proj, shape);
        QVERIFY2(tensor, told(tensor).c_str());
        QVERIFY(tensor->dtype == DType::bf16);
        QCOMPARE(tensor->element_count(), std::int64_t{64 * 64});
        QCOMPARE(tensor->file, (fixture("bf16") / "model.safetensors").string());
        QCOMPARE(std::string(reinterpret_cast<const char*>(tensor->data.data()), tensor->data.size()),
                 raw.tensors.at(q_proj).data);
        QVERIFY(check_finite(*tensor));
    }

    void asking_for_another_shape() {
        const auto checkpoint = *Checkpoint::open(fixture("bf16"));
        const std::array<std::int64_t, 2> shape = {64, 32};
        QUANTSCOPE_REFUSED(checkpoint->tensor(q_proj, shape), ErrorCode::bad_input,
                           std::string("model.safetensors: tensor '") + q_proj +
                               "': expected shape [64, 32], found [64, 64].");
        QUANTSCOPE_REFUSED(checkpoint->tensor("model.nothing", shape), ErrorCode::bad_input,
                           "model.safetensors: expected a tensor 'model.nothing', found none of that name.");
        const std::array<std::int64_t, 3> longer = {64, 64, 1};
        QUANTSCOPE_REFUSED(checkpoint->tensor(q_proj, longer), ErrorCode::bad_input,
                           "expected shape [64, 64, 1]");
    }

    void tensors_outlive_moves_of_the_folder() {
        auto folder = std::make_unique<ScratchFolder>("bf16");
        const auto checkpoint = *Checkpoint::open(folder->path());
        folder.reset();
        const std::array<std::int64_t, 2> shape = {64, 64};
        QVERIFY(check_finite(*checkpoint->tensor(q_proj, shape)));
    }

    void every_missing_tensor_is_named() {
        const ScratchFolder folder("tied");
        const SafetensorsEditor whole(folder / "model.safetensors");
        for (const auto& [name, tensor] : whole.tensors) {
            edit(folder, [&](auto& tensors) {
                tensors = whole.tensors;
                tensors.erase(name);
            });
            QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                               "model.safetensors: expected a tensor '" + name +
                                   "', found none of that name.");
        }
    }

    void every_wrong_shape_is_named() {
        const ScratchFolder folder("gqa");
        const SafetensorsEditor whole(folder / "model.safetensors");
        for (const auto& [name, tensor] : whole.tensors) {
            edit(folder, [&](auto& tensors) {
                tensors = whole.tensors;
                json& shape = tensors[name].shape;
                shape.push_back(1); // as many bytes, another shape
            });
            QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                               "tensor '" + name + "': expected shape [");
        }
    }

    void config_of_another_model() {
        const ScratchFolder folder("mha");
        edit_config(folder, R"({"vocab_size": 160})");
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                           "tensor 'model.embed_tokens.weight': expected shape [160, 64], found [128, 64].");
        edit_config(folder, R"({"vocab_size": 128, "num_hidden_layers": 3})");
        QUANTSCOPE_REFUSED(
            Checkpoint::open(folder.path()), ErrorCode::bad_input,
            "expected a tensor 'model.layers.2.input_layernorm.weight', found none of that name.");
        edit_config(folder, R"({"num_hidden_layers": "two"})");
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                           "'num_hidden_layers': expected an integer");
    }

    void missing_lm_head_suggests_tying() {
        const ScratchFolder folder("gqa");
        edit(folder, [](auto& tensors) { tensors.erase("lm_head.weight"); });
        const auto untied = Checkpoint::open(folder.path());
        QUANTSCOPE_REFUSED(untied, ErrorCode::bad_input, "expected a tensor 'lm_head.weight'");
        QVERIFY(untied.error().hint.find("\"tie_word_embeddings\": true") != std::string::npos);
        edit_config(folder, R"({"tie_word_embeddings": true})");
        QVERIFY(Checkpoint::open(folder.path()));
    }

    void unneeded_tensors_are_ignored() {
        const ScratchFolder folder("tied");
        edit(folder, [](auto& tensors) {
            tensors["model.layers.0.self_attn.rotary_emb.inv_freq"] = {"F32", {8}, std::string(32, '\0')};
            tensors["position_ids"] = {"I64", {1, 2}, std::string(16, '\0')};
            tensors["lm_head.weight"] = {"F16", {1}, std::string(2, '\0')};
        });
        const auto checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        QCOMPARE((*checkpoint)->parameter_count(), (*Checkpoint::open(fixture("tied")))->parameter_count());
    }

    void weights_of_another_type() {
        const ScratchFolder folder("tied");
        edit(folder, [](auto& tensors) { tensors[q_proj].dtype = "I16"; });
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::unsupported,
                           std::string("tensor '") + q_proj +
                               "': expected dtype F32, F16 or BF16, found I16.");
    }

    void nan_weights_are_found_on_reading() {
        const ScratchFolder folder("gqa");
        edit(folder,
             [](auto& tensors) { tensors[q_proj].data.replace(4 * (64 * 5 + 6), 4, "\0\0\xC0\x7F", 4); });
        const auto checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        const std::array<std::int64_t, 2> shape = {64, 64};
        QUANTSCOPE_REFUSED(check_finite(*(*checkpoint)->tensor(q_proj, shape)), ErrorCode::bad_input,
                           (folder / "model.safetensors").string() + ": tensor '" + q_proj +
                               "' has NaN at index [5, 6]; expected finite weights.");
    }

    void truncated_weights() {
        const ScratchFolder folder("mha");
        const std::string bytes = read_file(folder / "model.safetensors");
        for (const std::size_t size : {bytes.size() - 1, bytes.size() / 2, std::size_t{3000},
                                       std::size_t{100}, std::size_t{5}, std::size_t{0}}) {
            write_file(folder / "model.safetensors", bytes.substr(0, size));
            QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                               (folder / "model.safetensors").string() + ": ");
        }
    }

    void no_weights() {
        const ScratchFolder folder;
        fs::copy_file(fixture("mha") / "config.json", folder / "config.json");
        QUANTSCOPE_REFUSED(
            Checkpoint::open(folder.path()), ErrorCode::bad_input,
            folder.path().string() +
                ": expected model.safetensors or model.safetensors.index.json, found none of them.");
        write_file(folder / "pytorch_model.bin", "PK");
        const auto pickled = Checkpoint::open(folder.path());
        QUANTSCOPE_REFUSED(pickled, ErrorCode::unsupported, "found pytorch_model.bin (PyTorch pickle).");
        QVERIFY(pickled.error().hint.find("M.from_pretrained('" + folder.path().string()) !=
                std::string::npos);
        fs::create_directory(folder / "model.safetensors");
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::io,
                           "model.safetensors: expected a file, found a directory.");
        QUANTSCOPE_REFUSED(Checkpoint::open(folder / "config.json"), ErrorCode::bad_input,
                           "cannot be opened");
    }

    void shards() {
        const ScratchFolder folder("sharded");
        QVERIFY(Checkpoint::open(folder.path()));
        const std::string name = "model-00003-of-00005.safetensors";
        const std::string shard = read_file(folder / name);

        write_file(folder / name, shard.substr(0, shard.size() - 4));
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input, name + ": ");

        fs::remove(folder / name);
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                           "model.safetensors.index.json: expected 5 shards, found no file '" + name + "'.");

        // The index and the shard disagree.
        fs::copy_file(folder / "model-00001-of-00005.safetensors", folder / name);
        const auto disagreeing = Checkpoint::open(folder.path());
        QUANTSCOPE_REFUSED(disagreeing, ErrorCode::bad_input, name + ": expected a tensor 'model.layers.");
        write_file(folder / name, shard);
        QVERIFY(Checkpoint::open(folder.path()));
    }

    void the_index_lacks_a_tensor() {
        const ScratchFolder folder("sharded");
        const fs::path path = folder / "model.safetensors.index.json";
        json index = json::parse(read_file(path));
        index["weight_map"].erase(q_proj);
        write_file(path, index.dump());
        auto checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        QCOMPARE((*checkpoint)->config().notices.size(), std::size_t{1});
        QVERIFY((*checkpoint)->config().notices.front().find("json: 1 of the model's tensors are in the") !=
                std::string::npos);
        const std::array<std::int64_t, 2> shape = {64, 64};
        QVERIFY((*checkpoint)->tensor(q_proj, shape));

        // It forgets whole shards, or there is no index.
        index["weight_map"] = json::object();
        write_file(path, index.dump());
        checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        fs::remove(path);
        checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        QVERIFY((*checkpoint)->config().notices.empty());

        fs::remove(folder / "model-00003-of-00005.safetensors");
        QUANTSCOPE_REFUSED(Checkpoint::open(folder.path()), ErrorCode::bad_input,
                           folder.path().string() + ": expected a tensor 'model.layers.");
    }

    void names_without_the_model_prefix() {
        const ScratchFolder folder("gqa");
        edit(folder, [](auto& tensors) {
            std::map<std::string, RawTensor> renamed;
            for (auto& [name, tensor] : tensors) {
                renamed[name.starts_with("model.") ? name.substr(6) : name] = tensor;
            }
            tensors = renamed;
        });
        const auto checkpoint = Checkpoint::open(folder.path());
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        const std::array<std::int64_t, 2> shape = {64, 64};
        const auto tensor = (*checkpoint)->tensor(q_proj, shape);
        QVERIFY2(tensor, told(tensor).c_str());
        QCOMPARE(tensor->name, std::string(q_proj));
    }

    void a_tied_configuration_with_a_table_of_its_own() {
        const ScratchFolder folder("tied");
        const auto tied = *Checkpoint::open(folder.path());
        const std::array<std::int64_t, 2> shape = {128, 64};
        const auto open_with = [&](const std::function<void(RawTensor&)>& change) {
            edit(folder, [&](auto& tensors) {
                tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"];
                change(tensors["lm_head.weight"]);
            });
            return *Checkpoint::open(folder.path());
        };
        const auto same = open_with([](RawTensor&) {});
        QVERIFY(same->config().tie_word_embeddings && same->config().notices.empty());
        const auto other =
            open_with([](RawTensor& head) { head.data[0] = static_cast<char>(head.data[0] ^ 1); });
        QVERIFY(!other->config().tie_word_embeddings);
        QCOMPARE(other->parameter_count(), tied->parameter_count() + 128 * 64);
        QCOMPARE(other->config().notices.size(), std::size_t{1});
        QVERIFY(other->config().notices.front().find("the stored one is used") != std::string::npos);
        QVERIFY(!same_values(*other->tensor("lm_head.weight", shape),
                             *other->tensor("model.embed_tokens.weight", shape)));
    }

    void a_snapshot_of_the_hugging_face_cache() {
        const ScratchFolder cache;
        const fs::path repository = cache / "models--quant--tiny";
        const fs::path snapshot = repository / "snapshots" / "0123abcd";
        fs::create_directories(repository / "blobs");
        fs::create_directories(snapshot);
        for (const auto& entry : fs::directory_iterator(fixture("tied"))) {
            const std::string name = entry.path().filename().string();
            fs::copy_file(entry.path(), repository / "blobs" / ("blob" + name));
            fs::create_symlink(fs::path("../../blobs") / ("blob" + name), snapshot / name);
        }
        const auto open = [](const fs::path& path) { return Checkpoint::open(path); };
        auto checkpoint = open(snapshot);
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        QCOMPARE((*checkpoint)->config().name, std::string("quant/tiny"));
        QVERIFY(open(repository)); // the only snapshot
        fs::create_directories(repository / "snapshots" / "4567");
        QUANTSCOPE_REFUSED(open(repository), ErrorCode::bad_input,
                           "found 2 snapshots and none of that name.");
        fs::create_directories(repository / "refs");
        write_file(repository / "refs" / "main", "0123abcd\n");
        checkpoint = open(repository.string() + "/");
        QVERIFY2(checkpoint, told(checkpoint).c_str());
        QCOMPARE((*checkpoint)->folder(), snapshot);
        QCOMPARE((*checkpoint)->config().name, std::string("quant/tiny"));
        QVERIFY(Tokenizer::open(repository));
    }

    void the_hash_is_the_models_identity() {
        const ScratchFolder folder("tied");
        const ScratchFolder copy("tied");
        const std::string original = hash_of(folder);
        QVERIFY(QRegularExpression("^[0-9a-f]{32}$").match(QString::fromStdString(original)).hasMatch());
        QCOMPARE(hash_of(copy), original); // wherever the folder is

        for (const char* name : {"model.safetensors", "tokenizer.model"}) {
            std::string bytes = read_file(copy / name);
            bytes.back() = static_cast<char>(bytes.back() ^ 1);
            write_file(copy / name, bytes);
            QVERIFY2(hash_of(copy) != original, name);
            fs::copy_file(folder / name, copy / name, fs::copy_options::overwrite_existing);
            QCOMPARE(hash_of(copy), original);
        }
        for (const char* name :
             {"tokenizer.json", "tokenizer_config.json", "added_tokens.json", "special_tokens_map.json"}) {
            write_file(copy / name, "{}");
            QVERIFY2(hash_of(copy) != original, name);
            fs::remove(copy / name);
        }
        edit_config(copy, R"({"rms_norm_eps": 2e-5})");
        QVERIFY(hash_of(copy) != original);
        fs::remove(copy / "tokenizer.model");
        QVERIFY(Checkpoint::open(copy.path()));
    }

    void large_files_are_hashed_by_sample() {
        std::vector<std::byte> file(std::size_t{100} << 20U);
        const auto hash = [&](std::size_t limit) {
            ModelHash result;
            result.add_weights(file, 4096, limit);
            return result.hex();
        };
        const std::string original = hash(0);
        QVERIFY(original != hash(file.size())); // which is hashed whole
        for (const std::size_t position :
             {std::size_t{0}, std::size_t{4095}, file.size() - 1, file.size() - (1U << 20U)}) {
            file[position] = std::byte{1};
            QVERIFY2(hash(0) != original, qPrintable(QString::number(position)));
            file[position] = std::byte{0};
        }
        // Between the first two blocks nothing is read: the price of a fast start.
        file[(1U << 20U) + 1000] = std::byte{1};
        QCOMPARE(hash(0), original);
        file.pop_back();
        QVERIFY(hash(0) != original);
    }

    void parts_do_not_run_together() {
        ModelHash a;
        a.add("ab");
        a.add("c");
        ModelHash b;
        b.add("a");
        b.add("bc");
        QVERIFY(a.hex() != b.hex());
    }
};

QTEST_APPLESS_MAIN(TestCheckpoint)
#include "tst_checkpoint.moc"
