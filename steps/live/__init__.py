"""The real engine: vLLM with a tiny model, installed, started and asked.

training_data.py what the model learns · make_model.py how it is trained · install.py vLLM without a GPU · engine.py a running one
"""
