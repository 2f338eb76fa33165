"""Which models answer questions, by their names."""

import pytest

from servers.shapes import may_answer


@pytest.mark.parametrize(
    "name",
    [
        *("sentence-transformers/all-MiniLM-L6-v2", "all-minilm:22m", "ggml-org/all-MiniLM-L6-v2-Q8_0-GGUF"),
        *("BAAI/bge-large-en-v1.5", "bge-m3-Q8_0.gguf", "BAAI_bge-small-en-v1.5", "text-embedding-bge-m3", "bge-m3"),
        *("intfloat/multilingual-e5-large-instruct", "intfloat/e5-mistral-7b-instruct", "gte-Qwen2-7B-instruct"),
        *("nomic-embed-text:latest", "nomic-ai/nomic-embed-text-v1.5-GGUF", "mxbai-embed-large", "llm-embedder"),
        *("Qwen/Qwen3-Embedding-0.6B", "text-embedding-3-small", "google/embeddinggemma-300m", "embeddinggemma:300m"),
        *("snowflake-arctic-embed2:latest", "nvidia/NV-Embed-v2", "jina-embeddings-v3", "/srv/m/Qwen3-Embedding-4B/"),
        *("bge-reranker-v2-m3", "Qwen3-Reranker-0.6B", "mxbai-rerank-base-v2", "cross-encoder/ms-marco-TinyBERT-L2"),
        *("whisper-1", "openai/whisper-large-v3", "faster-whisper-small", "tts-1", "colbertv2.0", "dall-e-3"),
    ],
)
def test_models_that_answer_no_questions_are_known_by_their_names(name: str) -> None:
    assert not may_answer(name)


@pytest.mark.parametrize(
    "name",
    [
        *(
            "mlx-community/Qwen2-VL-2B-Instruct-4bit",
            "gemma4:26b",
            "unsloth/gemma-4-E4B-it-GGUF",
            "gpt-oss-20b",
            "m",
            "",
        ),
        *("Embedded-Systems-7B-Instruct", "embed-labs/llama-3-8b", "/srv/embeddings/llama.gguf", "unembedded-7b"),
        *("llama-embed-chat-7b", "my-finetune-e5.Q4_K_M.gguf", "SmolLM2-135M-e5", "model-e5m2", "E5M2-llama"),
        *("Whisperer-8B", "whisper-of-the-heart-13b", "Rerankle-7B", "minilmao-3b", "bgemma-2b", "gteam-7b"),
        *("sentence-transformers-chat", "tts-storyteller-7b", "tool-embeds-8b", "WizardLM-13B-Uncensored"),
    ],
)
def test_a_model_that_merely_sounds_like_one_may_answer(name: str) -> None:
    assert may_answer(name)
