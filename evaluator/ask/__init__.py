"""Put the questions to the servers; knows neither grades nor statistics."""
