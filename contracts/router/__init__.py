"""What is true of a router in front of engines, behind the chat API of OpenAI."""
