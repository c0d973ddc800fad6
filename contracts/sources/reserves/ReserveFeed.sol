// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AggregatorV3Interface} from "./AggregatorV3Interface.sol";
import {ProofRegistry} from "./ProofRegistry.sol";

/// @notice The least reserves of each proven window of one asset, for contracts that read feeds. **Self-reported**: the
/// custodian says them, and a verifier outside of the chain checks them; no oracle does.
/// @dev A round is a window, counted from 1. Whoever must not work with old figures asks `ProofRegistry.isFresh`, too.
contract ReserveFeed is AggregatorV3Interface {
    ProofRegistry public immutable registry;
    bytes32 public immutable asset;
    uint8 private immutable assetDecimals;
    string private assetName;

    uint256 public constant version = 1;

    /// Nothing was proven in that round.
    error NoData(uint256 round);

    /// @param decimals_ of the asset's smallest unit
    constructor(ProofRegistry registry_, string memory asset_, uint8 decimals_) {
        registry = registry_;
        asset = keccak256(bytes(asset_));
        assetName = asset_;
        assetDecimals = decimals_;
    }

    /// @inheritdoc AggregatorV3Interface
    /// @dev Answers are in the asset's smallest unit, whatever the unit of the headers.
    function decimals() external view returns (uint8) {
        return assetDecimals;
    }

    /// @inheritdoc AggregatorV3Interface
    function description() external view returns (string memory) {
        return string.concat("Self-reported reserves of ", assetName);
    }

    /// @inheritdoc AggregatorV3Interface
    function getRoundData(uint80 id)
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        return round(id);
    }

    /// @inheritdoc AggregatorV3Interface
    function latestRoundData()
        external
        view
        returns (uint80 roundId, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound)
    {
        (, uint64 proven,) = registry.stateOf(asset);
        return round(proven);
    }

    function round(uint80 id) private view returns (uint80, int256, uint256, uint256, uint80) {
        require(id != 0, NoData(id));
        ProofRegistry.Window memory window = registry.windowAt(asset, id - 1);
        require(window.provenAt != 0, NoData(id));
        (,, uint8 unitExponent) = registry.stateOf(asset);
        // 2^128 units of 10^36 are below 2^255.
        int256 answer = int256(uint256(window.leastReserves) * 10 ** unitExponent);
        return (id, answer, window.endedAt, window.provenAt, id);
    }
}
