"""What is true of an engine, or a router in front of engines, behind the chat API of OpenAI."""
